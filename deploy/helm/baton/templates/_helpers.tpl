{{- define "baton.name" -}}
{{- contains "baton" .Release.Name | ternary .Release.Name (printf "%s-baton" .Release.Name) | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "baton.image" -}}
{{- $repository := required "image.repository: say where the image was pushed" .Values.image.repository -}}
{{- if .Values.image.digest }}{{ $repository }}@{{ .Values.image.digest }}
{{- else }}{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "baton.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "baton.name" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{/* What the selectors of a part go by. `part` is api, migrate or worker-NAME. */}}
{{- define "baton.selector" -}}
app.kubernetes.io/name: baton
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "baton.labels" -}}
{{ include "baton.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "baton.podMetadata" -}}
labels:
  {{- include "baton.labels" . | nindent 2 }}
  {{- with .root.Values.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- with .root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the pods of every part have in common. */}}
{{- define "baton.pod" -}}
serviceAccountName: {{ include "baton.serviceAccount" . }}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 256Mi}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* `settings`: what is set for this part alone, over those of all. `secrets`: names of Secrets, in order. */}}
{{- define "baton.container" -}}
image: {{ include "baton.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
env:
  - {name: TEMPORAL_ADDRESS, value: {{ required "temporal.address: host:port of Temporal's frontend" .root.Values.temporal.address | quote }}}
  - {name: TEMPORAL_NAMESPACE, value: {{ .root.Values.temporal.namespace | quote }}}
  {{- if .root.Values.temporal.tls }}
  - {name: TEMPORAL_TLS, value: "true"}
  {{- end }}
  {{- range $name, $value := mergeOverwrite (deepCopy .root.Values.settings) .settings }}
  - {name: {{ $name }}, value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}}
  {{- end }}
envFrom:
  - secretRef: {name: {{ required "existingSecret: a Secret with DATABASE_URL" .root.Values.existingSecret }}}
  {{- with .root.Values.temporal.existingSecret }}
  - secretRef: {name: {{ . }}}
  {{- end }}
  {{- with .secret }}
  - secretRef: {name: {{ . }}}
  {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
resources: {{ toYaml .resources | nindent 2 }}
{{- end }}
