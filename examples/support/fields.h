/* Converts a struct to JSON and back. A table of option.h describes its fields. */
#ifndef EX_FIELDS_H
#define EX_FIELDS_H

#include "option.h"

#include <jansson.h>

/* Returns a JSON object, which the caller frees. The table must not contain EX_TEXT or
 * EX_HEADING. If an allocation fails, ex_json_write rejects the object. */
json_t *ex_fields_to_json(const ex_option *fields, const void *from);

/* Reads one field. False after ex_fail if it is missing, has another type or is out of range;
 * the message starts with `what` and names the field. */
bool ex_field_from_json(const ex_option *field, void *into, const json_t *object, const char *what);

#endif
