{{/* Labels of one part: (dict "part" "operator" "top" $) */}}
{{- define "citychain.labels" -}}
{{ include "citychain.selector" . }}
app.kubernetes.io/version: {{ .top.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .top.Release.Service }}
helm.sh/chart: {{ .top.Chart.Name }}-{{ .top.Chart.Version }}
{{- end }}

{{/* What never changes of them. */}}
{{- define "citychain.selector" -}}
app.kubernetes.io/name: citychain-{{ .part }}
app.kubernetes.io/instance: {{ .top.Release.Name }}
{{- end }}

{{- define "citychain.pod-security" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "citychain.container-security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* The operator's configuration file. */}}
{{- define "citychain.operator-yaml" -}}
city: {{ toJson .Values.city }}
images: {{ toJson .Values.images }}
imagePullPolicy: {{ .Values.nodeImagePullPolicy }}
{{- with .Values.storageClass }}
storageClass: {{ . | quote }}
{{- end }}
{{- with .Values.nodeAddress }}
nodeAddress: {{ . | quote }}
{{- end }}
{{- with .Values.cityChain }}
cityChain: {{ toJson . }}
{{- end }}
operatorNamespace: {{ .Release.Namespace }}
consoleNamespace: {{ .Release.Namespace }}
webhook: {service: citychain-operator}
{{- end }}
