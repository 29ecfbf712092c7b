/* The fields of a struct, as a table of option.h describes them, to JSON and back. */
#ifndef EX_FIELDS_H
#define EX_FIELDS_H

#include "option.h"

#include <jansson.h>

/* An object, which the caller frees. tc_json_write refuses it where there was no memory for all of it. A table has no texts and no
 * headings. */
json_t *tc_fields_to_json(const tc_option *fields, const void *from);

/* Reads one field. False after tc_fail, which says that `what` (a few words) and the field's name are at fault: it is missing, of another
 * type, or out of its range. */
bool tc_field_from_json(const tc_option *field, void *into, const json_t *object, const char *what);

#endif
