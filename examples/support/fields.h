/* Writes the fields of a struct as a JSON object and reads them back, by a table of the fields. */
#ifndef EX_FIELDS_H
#define EX_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum ex_field_kind {
    EX_FIELD_BOOL,    /* a bool */
    EX_FIELD_CHOICE,  /* an int, the index of a name; the name is written */
    EX_FIELD_INTEGER, /* an int64_t */
    EX_FIELD_NUMBER   /* a double */
} ex_field_kind;

typedef struct ex_field {
    const char *name; /* the key; NULL ends a table */
    ex_field_kind kind;
    size_t offset;              /* in the struct */
    double min, max;            /* of an integer or number */
    const char *const *choices; /* ends with NULL */
} ex_field;

/* Returns an object, which the caller frees. It may lack fields if memory ran out; ex_json_write
 * refuses it then. */
json_t *ex_fields_to_json(const ex_field *fields, const void *from);

/* Reads one field. Returns false after ex_fail if it is missing, has another type or is out of
 * range; the message starts with `what` and the field's name. */
bool ex_field_from_json(const ex_field *field, void *into, const json_t *object, const char *what);

#endif
