#include "dates.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- the calendar ---- */

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && year % 4 == 0); /* right from 1901 to 2099 */
}

tr_date tr_date_after(int32_t days)
{
    tr_date date = {1950, 1, 1, days % 7}; /* 1950-01-01 was a Sunday */
    for (;;) {
        const int length = days_in_month(date.year, date.month);
        if (days < length) break;
        days -= length;
        date.month = date.month % 12 + 1;
        date.year += date.month == 1;
    }
    date.day += days;
    return date;
}

void tr_date_iso(char *text, tr_date date)
{
    snprintf(text, TR_MAX_TEXT, "%04d-%02d-%02d", date.year, date.month, date.day);
}

/* ---- words ---- */

static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const roman[] = {"I",   "II",   "III", "IV", "V",  "VI",
                                    "VII", "VIII", "IX",  "X",  "XI", "XII"};
static const char *const ordinals[] = {
    "first",        "second",         "third",         "fourth",        "fifth",
    "sixth",        "seventh",        "eighth",        "ninth",         "tenth",
    "eleventh",     "twelfth",        "thirteenth",    "fourteenth",    "fifteenth",
    "sixteenth",    "seventeenth",    "eighteenth",    "nineteenth",    "twentieth",
    "twenty-first", "twenty-second",  "twenty-third",  "twenty-fourth", "twenty-fifth",
    "twenty-sixth", "twenty-seventh", "twenty-eighth", "twenty-ninth",  "thirtieth",
    "thirty-first"};
static const char *const units[] = {"",        "one",     "two",       "three",    "four",
                                    "five",    "six",     "seven",     "eight",    "nine",
                                    "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
static const char *const tens[] = {"",      "",      "twenty",  "thirty", "forty",
                                   "fifty", "sixty", "seventy", "eighty", "ninety"};

/* The "st" of 1st. */
static const char *ending(int day)
{
    static const char *const endings[] = {"th", "st", "nd", "rd"};
    return day % 10 > 3 || day / 10 == 1 ? endings[0] : endings[day % 10];
}

/* Appends to a text of TR_MAX_TEXT bytes. */
static void append(char *text, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));
static void append(char *text, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, TR_MAX_TEXT - used, format, arguments);
    va_end(arguments);
}

/* nineteen ninety-eight, two thousand, two thousand and nine, twenty nineteen */
static void append_year(char *text, int year)
{
    int rest = year % 100;
    const bool thousand = year >= 2000 && year < 2010;
    if (thousand) append(text, "two thousand");
    else append(text, "%s", year < 2000 ? "nineteen" : "twenty");
    if (rest) append(text, thousand ? " and " : " ");
    if (rest < 20) append(text, "%s", units[rest]);
    else append(text, "%s%s%s", tens[rest / 10], rest % 10 ? "-" : "", units[rest % 10]);
}

/* ---- formats of dates ---- */

/* They are unambiguous: the figures of a month are second between dots, first before slashes,
 * and second after a year. */
static const char *const formats[] = {
    "%d %B %Y",           /* 3 March 2019 */
    "%o %B %Y",           /* 3rd March 2019 */
    "the %o of %B %Y",    /* the 3rd of March 2019 */
    "%A the %o of %B %Y", /* Sunday the 3rd of March 2019 */
    "%a, %d %b %y",       /* Sun, 3 Mar 19 */
    "%a %b %d %Y",        /* Sun Mar 3 2019 */
    "%d %b '%y",          /* 3 Mar '19 */
    "%d-%b-%y",           /* 3-Mar-19 */
    "%B %d, %Y",          /* March 3, 2019 */
    "%B %o, %Y",          /* March 3rd, 2019 */
    "%A, %B %d, %Y",      /* Sunday, March 3, 2019 */
    "%Y, %B %d",          /* 2019, March 3 */
    "%d.%m.%Y",           /* 3.3.2019 */
    "%D.%M.%y",           /* 03.03.19 */
    "%d.%r.%Y",           /* 3.III.2019 */
    "%m/%d/%Y",           /* 3/3/2019 */
    "%Y/%M/%D",           /* 2019/03/03 */
    "%Y%M%D",             /* 20190303 */
    "the %w of %B, %W",   /* the third of March, twenty nineteen */
    "%B the %w, %W",      /* March the third, twenty nineteen */
    "%w %B %Y",           /* third March 2019 */
};

int tr_formats(void) { return (int)(sizeof formats / sizeof *formats); }

static void append_part(char *text, tr_date date, char part)
{
    const char *month = months[date.month - 1], *weekday = weekdays[date.weekday];
    switch (part) {
    case 'd': append(text, "%d", date.day); break;
    case 'D': append(text, "%02d", date.day); break;
    case 'o': append(text, "%d%s", date.day, ending(date.day)); break;
    case 'w': append(text, "%s", ordinals[date.day - 1]); break;
    case 'm': append(text, "%d", date.month); break;
    case 'M': append(text, "%02d", date.month); break;
    case 'b': append(text, "%.3s", month); break;
    case 'B': append(text, "%s", month); break;
    case 'r': append(text, "%s", roman[date.month - 1]); break;
    case 'y': append(text, "%02d", date.year % 100); break;
    case 'Y': append(text, "%d", date.year); break;
    case 'W': append_year(text, date.year); break;
    case 'a': append(text, "%.3s", weekday); break;
    case 'A': append(text, "%s", weekday); break;
    default: break;
    }
}

void tr_date_write(char *text, tr_date date, int format)
{
    text[0] = 0;
    for (const char *at = formats[format]; *at; at++) {
        if (*at == '%') append_part(text, date, *++at);
        else append(text, "%c", *at);
    }
}
