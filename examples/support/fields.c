#include "fields.h"

#include "failure.h"

#include <stdint.h>
#include <string.h>

static json_t *field_to_json(const ex_field *field, const void *value)
{
    switch (field->kind) {
    case EX_FIELD_BOOL: return json_boolean(*(const bool *)value);
    case EX_FIELD_CHOICE: return json_string(field->choices[*(const int *)value]);
    case EX_FIELD_INTEGER: return json_integer(*(const int64_t *)value);
    case EX_FIELD_NUMBER: return json_real(*(const double *)value);
    }
    return NULL;
}

json_t *ex_fields_to_json(const ex_field *fields, const void *from)
{
    json_t *object = json_object();
    for (const ex_field *f = fields; f->name; f++)
        json_object_set_new(object, f->name, field_to_json(f, (const char *)from + f->offset));
    return object;
}

/* The index of a name, or -1. `name` may be NULL. */
static int find_choice(const char *const *choices, const char *name)
{
    for (int i = 0; name && choices[i]; i++) {
        if (!strcmp(choices[i], name)) return i;
    }
    return -1;
}

bool ex_field_from_json(const ex_field *field, void *into, const json_t *object, const char *what)
{
    const json_t *item = json_object_get(object, field->name);
    const double number = json_number_value(item);
    const bool in_range = number >= field->min && number <= field->max;
    void *value = (char *)into + field->offset;
    if (!item) return ex_fail("%s \"%s\" is missing", what, field->name);
    switch (field->kind) {
    case EX_FIELD_BOOL:
        *(bool *)value = json_is_true(item);
        return json_is_boolean(item) ||
               ex_fail("%s \"%s\" must be true or false", what, field->name);
    case EX_FIELD_CHOICE:
        *(int *)value = find_choice(field->choices, json_string_value(item));
        return *(int *)value >= 0 ||
               ex_fail("%s \"%s\" has a value that this program does not know", what, field->name);
    case EX_FIELD_INTEGER:
        *(int64_t *)value = json_integer_value(item);
        return (json_is_integer(item) && in_range) ||
               ex_fail("%s \"%s\" must be an integer from %.0f to %.0f", what, field->name,
                       field->min, field->max);
    case EX_FIELD_NUMBER:
        *(double *)value = number;
        return (json_is_number(item) && in_range) ||
               ex_fail("%s \"%s\" must be a number from %g to %g", what, field->name, field->min,
                       field->max);
    }
    return true;
}
