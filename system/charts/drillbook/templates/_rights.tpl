{{- /* A RoleBinding of a Role to the account of the same name. Takes (dict "account" "namespace" "home"). */}}
{{- define "drillbook.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .account }}
  namespace: {{ .namespace }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ .account }}}
subjects:
  - {kind: ServiceAccount, name: {{ .account }}, namespace: {{ .home }}}
{{- end }}

{{- /* An account that no pod runs under: its token is made by whoever starts the harness. */}}
{{- define "drillbook.account" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .account }}
  namespace: {{ .home }}
automountServiceAccountToken: false
{{- end }}
