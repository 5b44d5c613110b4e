FromTemplate=a property before any section of a template is global
{% block HEADS %}
[{{SECTION_NAME}}_{{.NAME}}] conv_def
Input={{INPUT}}
NbOutputs={{.SIZE}}
Index={{#}}
{% endblock %}
{% for I in range(2) %}[{{SECTION_NAME}}_f{{I}}]
Value={{I}}
{% endfor %}
{% for I in range(1, BRANCHES) %}
[{{SECTION_NAME}}_g{{I}}]
Value={{I}}{% if I == 1 %} one{% else %} more{% endif %}
Not={% if I != 1 %}not one{% endif %}
{% endfor %}
{% if NOBODY not_exists %}
[{{SECTION_NAME}}_inner@blocks/inner.ini.tpl]
DEPTH=2
OUTER={{INPUT}}
{% endif %}
