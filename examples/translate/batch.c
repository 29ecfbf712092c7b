#include "batch.h"

#include <stdlib.h>
#include <string.h>

/* ---- days and rows ---- */

void tr_days_init(tr_days *days, int32_t held_out, uint64_t seed)
{
    tg_random order = tg_random_new(seed, "held-out days");
    for (int32_t i = 0; i < TR_DAYS; i++) days->days[i] = i;
    tg_random_shuffle(&order, days->days, TR_DAYS);
    days->held_out = held_out;
    days->random = tg_random_new(seed, "days to learn from");
    days->next = TR_POOL;
}

void tr_row_write(tr_row *row, int32_t day, tg_random *random)
{
    tr_date date = tr_date_after(day);
    tr_date_write(row->text, date, (int)tg_random_below(random, (uint32_t)tr_formats()));
    tr_date_iso(row->iso, date);
}

static int by_length(const void *a, const void *b)
{
    const tr_row *x = a, *y = b;
    size_t m = strlen(x->text), n = strlen(y->text);
    if (m != n) return m < n ? -1 : 1;
    return strcmp(x->text, y->text); /* so that the order does not depend on the C library */
}

static void draw_pool(tr_days *days)
{
    for (int32_t i = 0; i < TR_POOL * TR_ROWS; i++) {
        uint32_t at = tg_random_below(&days->random, (uint32_t)(TR_DAYS - days->held_out));
        tr_row_write(&days->pool[i], days->days[days->held_out + (int32_t)at], &days->random);
    }
    qsort(days->pool, TR_POOL * TR_ROWS, sizeof *days->pool, by_length);
    for (int32_t i = 0; i < TR_POOL; i++) days->order[i] = i;
    tg_random_shuffle(&days->random, days->order, TR_POOL);
    days->next = 0;
}

void tr_days_next(tr_days *days, tr_batch *batch)
{
    if (days->next == TR_POOL) draw_pool(days);
    tr_batch_set(batch, days->pool + days->order[days->next++] * TR_ROWS, TR_ROWS, true);
}

/* ---- characters and their numbers ---- */

static const char iso_characters[] = "0123456789-";

/* Small and capital letters have the same number. 0 is padding. */
static int32_t text_id(char c) { return 1 + (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) - ' '; }

bool tr_text_valid(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c < ' ' || *c > '~') return false;
    }
    return *text && strlen(text) < TR_MAX_TEXT;
}

void tr_batch_set(tr_batch *batch, const tr_row *rows, int32_t count, bool answers)
{
    batch->rows = count;
    batch->time = 0;
    for (int32_t b = 0; b < count; b++) {
        batch->lengths[b] = (int32_t)strlen(rows[b].text);
        if (batch->lengths[b] > batch->time) batch->time = batch->lengths[b];
    }
    for (int32_t b = 0; b < count; b++) {
        for (int32_t t = 0; t < batch->time; t++) {
            batch->text[b * batch->time + t] = t < batch->lengths[b] ? text_id(rows[b].text[t]) : 0;
        }
        int32_t *iso = batch->iso + b * TR_ISO, *previous = batch->previous + b * TR_ISO;
        for (int32_t t = 0; t < TR_ISO; t++) {
            iso[t] = answers ? (int32_t)(strchr(iso_characters, rows[b].iso[t]) - iso_characters)
                             : 0;
            previous[t] = t ? iso[t - 1] : TR_START;
        }
    }
}

void tr_batch_answer(char *text, const tr_batch *batch, int32_t row)
{
    for (int32_t t = 0; t < TR_ISO; t++) text[t] = iso_characters[batch->iso[row * TR_ISO + t]];
    text[TR_ISO] = 0;
}
