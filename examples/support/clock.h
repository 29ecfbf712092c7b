/* Seconds of a clock that never goes back. */
#ifndef EX_CLOCK_H
#define EX_CLOCK_H

double ex_seconds_now(void);

#endif
