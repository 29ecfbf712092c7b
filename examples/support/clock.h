/* Time that only goes forward. */
#ifndef TC_CLOCK_H
#define TC_CLOCK_H

double tc_seconds_now(void);

#endif
