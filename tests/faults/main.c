/* In every command of textclf, each allocation and each system call fails in turn. The command must
 * end in one line that says why; its files must be the old ones or the complete new ones; no
 * partial file and no memory may be left. All of them take twenty minutes: without TG_LONG_TESTS=1,
 * every ninth allocation and every third call fails. With it each of them fails, and each
 * allocation once more together with all later ones. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "faults.h"

static bool long_tests(void)
{
    const char *wish = getenv("TG_LONG_TESTS");
    return wish && *wish && strcmp(wish, "0") != 0;
}

/* The distance from one allocation or call that fails to the next. */
static int64_t stride(int64_t usual) { return long_tests() ? 1 : usual; }

static bool has_font(void)
{
    return !access("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", R_OK);
}

/* Runs the command without faults; what it writes is expected of the other runs. Returns false if
 * it is skipped. */
static bool prepare(const command *c)
{
    if (c->picture && !has_font()) {
        printf("skipped: %s: there is no font\n", c->what);
        return false;
    }
    const outcome o = run(c);
    ck_assert_msg(!o.status, "%s: %s", c->what, o.errors);
    ck_assert_int_eq(rename("stdout", "wanted.stdout"), 0);
    for (int i = 0; i < 3 && c->output[i]; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "wanted%s", strrchr(c->output[i], '.'));
        ck_assert_int_eq(rename(c->output[i], wanted), 0);
    }
    return true;
}

static int64_t tried;

/* ---- memory ---- */

static void refuse_each(const command *c, bool permanently)
{
    char when[64];
    for (int64_t n = 1;; n += stride(9)) {
        snprintf(when, sizeof when, "allocation %lld refused%s", (long long)n,
                 permanently ? ", and all after it" : "");
        test_memory_begin(n, permanently);
        const outcome o = run(c);
        const test_memory_counts counts = test_memory_end();
        ck_assert_msg(counts.blocks == 0, "%s: %s: %lld blocks leaked", c->what, when,
                      (long long)counts.blocks);
        check_outcome(c, &o, when);
        if (!counts.failed) {
            ck_assert_int_eq(o.status, 0);
            return;
        }
        const char *message = strstr(o.errors, "out of memory: ");
        ck_assert_msg((message && strstr(message, " bytes")) || !o.status,
                      "%s: %s: the message does not name the bytes: %s", c->what, when, o.errors);
        tried++;
    }
}

START_TEST(each_allocation)
    {
        if (!prepare(&commands[_i])) return;
        refuse_each(&commands[_i], false);
        if (long_tests()) refuse_each(&commands[_i], true);
    }
END_TEST

/* ---- calls ---- */

static const struct {
    const char *function;
    fault kind;
    int error;
    bool harmless; /* the command must succeed */
} plans[] = {
    {"write", FAILS, ENOSPC, false},
    {"write", FAILS, EIO, false},
    {"write", SHORT, 0, true},
    {"write", INTERRUPTED, 0, true},
    {"read", FAILS, EIO, false},
    {"read", ENDS, 0, false},
    {"read", SHORT, 0, true},
    {"read", INTERRUPTED, 0, true},
    {"open", FAILS, EMFILE, false},
    {"open", FAILS, EACCES, false},
    {"fopen", FAILS, EMFILE, false},
    {"close", FAILS, EIO, false},
    {"fsync", FAILS, EIO, false},
    {"fsync", FAILS, ENOSPC, false},
    {"flock", FAILS, ENOLCK, true},
    {"rename", FAILS, EIO, false},
    {"unlink", FAILS, EACCES, false},
    {"fread", FAILS, EIO, false},
    {"getline", FAILS, EIO, false},
    {"getline", FAILS, ENOMEM, false},
    {"open_memstream", FAILS, ENOMEM, false},
};

static int64_t calls_failed[COUNT(plans)];

static void fail_each(const command *c, int plan)
{
    char when[64];
    bool happened = true;
    for (int64_t n = 1; happened; n += stride(3)) {
        snprintf(when, sizeof when, "%s %lld: fault %d, %s", plans[plan].function, (long long)n,
                 plans[plan].kind, strerror(plans[plan].error));
        fault_begin(plans[plan].function, plans[plan].kind, plans[plan].error, n);
        const outcome o = run(c);
        happened = fault_end();
        if (!strcmp(plans[plan].function, "unlink")) remove_partial_files();
        check_outcome(c, &o, when);
        ck_assert_msg(!o.status || (happened && !plans[plan].harmless), "%s: %s: %s", c->what, when,
                      o.errors);
        calls_failed[plan] += happened;
        tried += happened;
    }
}

START_TEST(each_call)
    {
        if (!prepare(&commands[_i])) return;
        for (int plan = 0; plan < (int)COUNT(plans); plan++) fail_each(&commands[_i], plan);
    }
END_TEST

START_TEST(every_function_was_called)
    {
        for (size_t plan = 0; plan < COUNT(plans); plan++)
            ck_assert_msg(calls_failed[plan] > 0, "%s was never called", plans[plan].function);
    }
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults");
    TCase *memory = tcase_create("memory"), *calls = tcase_create("calls");
    tcase_add_unchecked_fixture(memory, world_begin, world_end);
    tcase_add_unchecked_fixture(calls, world_begin, world_end);
    tcase_add_checked_fixture(memory, NULL, test_memory_leave);
    tcase_set_timeout(memory, 0);
    tcase_set_timeout(calls, 0);
    tcase_add_loop_test(memory, each_allocation, 0, command_count());
    tcase_add_loop_test(calls, each_call, 0, command_count());
    tcase_add_test(calls, every_function_was_called);
    suite_add_tcase(suite, memory);
    suite_add_tcase(suite, calls);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    printf("%lld faults\n", (long long)tried);
    return failed != 0;
}
