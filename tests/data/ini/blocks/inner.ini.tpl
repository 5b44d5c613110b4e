[{{SECTION_NAME}}_leaf]
Depth={{DEPTH}}
Outer={{OUTER}}
Previous=${PREV_SECTION_NAME}
