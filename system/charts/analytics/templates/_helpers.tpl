{{- define "analytics.name" -}}
analytics-{{ .Values.slot }}
{{- end }}

{{- define "analytics.selector" -}}
app.kubernetes.io/name: analytics
slot: {{ .Values.slot }}
{{- end }}

{{- define "analytics.labels" -}}
{{ include "analytics.selector" . }}
app.kubernetes.io/version: {{ .Values.version | quote }}
app.kubernetes.io/part-of: analytics-platform
app.kubernetes.io/managed-by: {{ .Release.Service }}
region: {{ .Values.region }}
{{- end }}

{{- define "analytics.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Values.version }}
{{- end }}

{{- define "analytics.replicas" -}}
{{- if not (kindIs "invalid" .Values.replicas) -}}
{{ int .Values.replicas }}
{{- else -}}
{{ int (dig .Values.region "replicas" .Values.defaultReplicas .Values.regions) }}
{{- end -}}
{{- end }}

{{- define "analytics.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "analytics.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "analytics.database" -}}
- name: DATABASE_URL_FILE
  value: /run/secrets/database/{{ .Values.database.key }}
{{- with .Values.database.hosts }}
# Read when a pod starts. The URI names no host then: libpq takes these, in this order.
- name: PGHOST
  valueFrom: {configMapKeyRef: {name: {{ . }}, key: hosts}}
- name: PGPORT
  valueFrom: {configMapKeyRef: {name: {{ . }}, key: ports}}
{{- end }}
{{- end }}

{{- define "analytics.databaseVolume" -}}
- name: database
  secret:
    secretName: {{ .Values.database.secret }}
    defaultMode: 0440
{{- end }}
