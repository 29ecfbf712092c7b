/* Time that only goes forward. */
#ifndef EX_CLOCK_H
#define EX_CLOCK_H

double tc_seconds_now(void);

#endif
