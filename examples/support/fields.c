#include "fields.h"

#include "failure.h"

#include <stdint.h>

static json_t *value_of(const ex_option *field, const void *value)
{
    switch (field->kind) {
    case EX_FLAG: return json_boolean(*(const bool *)value);
    case EX_CHOICE: return json_string(field->choices[*(const int *)value]);
    case EX_INTEGER: return json_integer(*(const int64_t *)value);
    case EX_NUMBER: return json_real(*(const double *)value);
    case EX_TEXT:
    case EX_HEADING: break;
    }
    return NULL;
}

json_t *ex_fields_to_json(const ex_option *fields, const void *from)
{
    json_t *object = json_object();
    for (const ex_option *f = fields; f->name; f++)
        json_object_set_new(object, f->name, value_of(f, (const char *)from + f->field));
    return object;
}

bool ex_field_from_json(const ex_option *field, void *into, const json_t *object, const char *what)
{
    const json_t *item = json_object_get(object, field->name);
    const double number = json_number_value(item);
    const bool inside = number >= field->min && number <= field->max;
    const char *name = json_string_value(item);
    void *value = (char *)into + field->field;
    switch (field->kind) {
    case EX_FLAG:
        *(bool *)value = json_is_true(item);
        return json_is_boolean(item) ||
               ex_fail("%s \"%s\" is neither true nor false", what, field->name);
    case EX_CHOICE:
        *(int *)value = name ? ex_choice(field->choices, name) : -1;
        return *(int *)value >= 0 ||
               ex_fail("%s \"%s\" has a value that this program does not know", what, field->name);
    case EX_INTEGER:
        *(int64_t *)value = json_integer_value(item);
        return (json_is_integer(item) && inside) ||
               ex_fail("%s \"%s\" is not an integer from %.0f to %.0f", what, field->name,
                       field->min, field->max);
    case EX_NUMBER:
        *(double *)value = number;
        return (json_is_number(item) && inside) ||
               ex_fail("%s \"%s\" is not a number from %g to %g", what, field->name, field->min,
                       field->max);
    case EX_TEXT:
    case EX_HEADING: break;
    }
    return true;
}
