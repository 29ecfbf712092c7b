/* The task: dates in the ways in which people write them, and as ISO 8601 writes them. */
#ifndef TR_DATES_H
#define TR_DATES_H

#include <stddef.h>
#include <stdint.h>

enum {
    TR_DAYS = 36525,  /* 1950-01-01 .. 2049-12-31, so that two digits of a year suffice */
    TR_MAX_TEXT = 64, /* bytes of a text, with its final 0 */
    TR_ISO = 10       /* characters of 2019-03-03 */
};

typedef struct tr_date {
    int year, month, day; /* month 1 .. 12, day 1 .. 31 */
    int weekday;          /* 0: Sunday */
} tr_date;

/* The date `days` after 1950-01-01, 0 .. TR_DAYS - 1. */
tr_date tr_date_after(int32_t days);

/* Writes a date as 2019-03-03; `text` has TR_MAX_TEXT bytes. */
void tr_date_iso(char *text, tr_date date);

/* Writes a date in a format, 0 .. tr_formats() - 1. No two dates give the same text in any
 * formats. */
int tr_formats(void);
void tr_date_write(char *text, tr_date date, int format);

#endif
