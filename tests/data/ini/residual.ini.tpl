[{{SECTION_NAME}}_a] conv_def
Input={{INPUT}}
NbOutputs={{FILTERS}}
Previous=${PREV_SECTION_NAME}
Me=${SECTION_NAME}

[{{SECTION_NAME}}_b] conv_def
Input={{SECTION_NAME}}_a
NbOutputs=$({{FILTERS}} * 1)
{% if QWEIGHT exists %}
QWeight.Threshold={{QWEIGHT}}
{% else %}
QWeight.Threshold=0.5
{% endif %}

{% if PROJECTION exists %}
[{{SECTION_NAME}}_proj] conv_def
Input={{INPUT}}
NbOutputs={{FILTERS}}

{% set INPUT %}{{SECTION_NAME}}_proj{% endset %}
{% endif %}
[{{SECTION_NAME}}_sum]
Input={{SECTION_NAME}}_b,{{INPUT}}
Type=ElemWise
NbOutputs=[{{SECTION_NAME}}_b]NbOutputs
