/* Converts a struct to JSON and back. A table of option.h describes its fields. */
#ifndef EX_FIELDS_H
#define EX_FIELDS_H

#include "option.h"

#include <jansson.h>

/* Returns a JSON object, which the caller frees. The table must not contain EX_TEXT or
 * EX_HEADING. If an allocation fails, tc_json_write rejects the object. */
json_t *tc_fields_to_json(const tc_option *fields, const void *from);

/* Reads one field. False after tc_fail if it is missing, has another type or is out of range;
 * the message starts with `what` and names the field. */
bool tc_field_from_json(const tc_option *field, void *into, const json_t *object, const char *what);

#endif
