/* The operator table. */
#include "operators.h"

#define ROW(name) &tg_op_##name,
const tg_op *const tg_operators[] = {TG_OPERATORS(ROW)};
const int tg_operator_count = sizeof tg_operators / sizeof *tg_operators;
