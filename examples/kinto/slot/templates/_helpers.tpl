{{- define "kinto.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "kinto.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "kinto.database" -}}
- {name: DATABASE_URL_FILE, value: /run/secrets/kinto/database}
{{- end }}

{{- define "kinto.volumes" -}}
- name: secrets
  secret: {secretName: {{ .Values.secret }}, defaultMode: 0440}
# Kinto does not start without one.
- name: temporary
  emptyDir: {sizeLimit: 16Mi}
{{- end }}
