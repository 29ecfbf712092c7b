/* The task: dates, the many ways in which people write them, and the one way of ISO 8601. */
#ifndef TR_DATES_H
#define TR_DATES_H

#include <stddef.h>
#include <stdint.h>

enum {
    TR_DAYS = 36525,   /* 1950-01-01 .. 2049-12-31: two digits of a year tell the century */
    TR_MOST_TEXT = 64, /* bytes of a text, its final 0 included */
    TR_ISO = 10        /* characters of 2019-03-03 */
};

typedef struct tr_date {
    int year, month, day; /* month 1 .. 12, day 1 .. 31 */
    int weekday;          /* 0: Sunday */
} tr_date;

/* The date `days` after 1950-01-01, 0 .. TR_DAYS - 1. */
tr_date tr_date_after(int32_t days);

/* As 2019-03-03; `text` has room for TR_MOST_TEXT. */
void tr_date_iso(char *text, tr_date date);

/* In one of the ways, 0 .. tr_formats() - 1. No two dates look the same, in one way or in different ones. */
int tr_formats(void);
void tr_date_write(char *text, tr_date date, int format);

#endif
