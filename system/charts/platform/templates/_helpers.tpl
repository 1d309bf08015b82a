{{- /* Labels of a part. Argument: (list name root) */}}
{{- define "platform.labels" -}}
{{- $root := index . 1 -}}
app.kubernetes.io/name: {{ index . 0 }}
app.kubernetes.io/part-of: analytics-platform
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
region: {{ $root.Values.region }}
{{- end }}

{{- define "platform.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "platform.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* What pgBackRest reads: its settings and, from a Secret, its keys. Argument: (list "database"|"job" root) */}}
{{- define "platform.pgbackrest" -}}
{{- $root := index . 1 -}}
- name: pgbackrest
  projected:
    defaultMode: 0440
    sources:
      - configMap:
          name: pgbackrest
          items:
            - {key: backup.sh, path: backup.sh}
            - {key: common.conf, path: conf.d/common.conf}
            - {key: {{ index . 0 }}.conf, path: pgbackrest.conf}
      - secret:
          name: {{ $root.Values.backup.secret }}
          items: [{key: repositories.conf, path: conf.d/repositories.conf}]
{{- end }}

{{- /* The volume `data` of a pod whose storage ends with it. Argument: the storage's values */}}
{{- define "platform.emptyVolume" -}}
{{- if eq .kind "emptyDir" -}}
- name: data
  emptyDir: {sizeLimit: {{ .size }}}
{{- end }}
{{- end }}

{{- /* The end of a StatefulSet whose volume is a directory of one node, with that volume. Argument: (list name root storage) */}}
{{- define "platform.localVolume" -}}
{{- $name := index . 0 }}{{ $root := index . 1 }}{{ $storage := index . 2 }}
{{- if eq $storage.kind "local" }}
{{- if not (and $storage.node $storage.path) }}
{{- fail (printf "%s.storage.kind local needs %s.storage.node and %s.storage.path." $name $name $name) }}
{{- end }}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: ""
        volumeName: {{ $name }}
        resources: {requests: {storage: {{ $storage.size }}}}
---
apiVersion: v1
kind: PersistentVolume
metadata:
  name: {{ $name }}
  labels: {{- include "platform.labels" (list $name $root) | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  capacity: {storage: {{ $storage.size }}}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ""
  claimRef: {namespace: data, name: data-{{ $name }}-0}
  local: {path: {{ $storage.path }}}
  nodeAffinity:
    required:
      nodeSelectorTerms:
        - matchExpressions:
            - {key: kubernetes.io/hostname, operator: In, values: [{{ $storage.node }}]}
{{- end }}
{{- end }}
