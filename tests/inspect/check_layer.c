/* The layer check finds each planted fault by the check that is there for it, and by no other. */
#ifdef _OPENMP
#include <omp.h>
#endif

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faulty_layer.h"

/* With the file that the check of files needs, in the folder of the test. */
static tg_checked_layer faulty_layer(test_fault fault)
{
    tg_checked_layer layer = test_faulty_layer(fault);
    layer.file = test_path("layer.check");
    return layer;
}

static void begin(void) { test_folder_begin(); }
static void end(void) { test_folder_end(); }

#define FAULT(fault) fault, #fault

static const struct {
    test_fault fault;
    const char *name;
    tg_layer_check check; /* the only one to fail */
    const char *texts[2]; /* parts of its line */
} faults[] = {
    {FAULT(SIGN), TG_LAYER_GRADIENTS, {"layer.weight, element", "read by test_mean"}},
    {FAULT(SCALE), TG_LAYER_GRADIENTS, {"layer.weight, element", "read by test_mean"}},
    {FAULT(ONE_ELEMENT), TG_LAYER_GRADIENTS, {"layer.weight, element 1", "test_mean"}},
    {FAULT(NO_DX), TG_LAYER_GRADIENTS, {"x, element", "read by test_mean"}},
    {FAULT(SET_DX), TG_LAYER_GRADIENTS, {"another operator reads", "x, element"}},
    {FAULT(SET_DW), TG_LAYER_GRADIENTS, {"another operator reads", "layer.weight, el"}},
    {FAULT(LATE_DX), TG_LAYER_GRADIENTS, {"x, element"}},

    {FAULT(MEAN_OVER_T), TG_LAYER_PADDING, {"with more padding: the result of sequence 0 (len"}},
    {FAULT(ONE_TOO_FAR), TG_LAYER_PADDING, {"with NaN past the lengths: the result of sequence 0"}},
    {FAULT(NEIGHBOUR), TG_LAYER_PADDING, {"without the other sequences: the result of sequence 0"}},
    {FAULT(BIAS_IN_PADDING), TG_LAYER_PADDING, {"sequence 0 (length 5), position 5, is", "not 0"}},
    {FAULT(NO_EMPTY), TG_LAYER_PADDING, {"without the other sequences", "nothing to read"}},
    {FAULT(NOT_FULL), TG_LAYER_PADDING, {"with tg_full_length(): ", "no lengths"}},
    {FAULT(OTHER_IN_FULL), TG_LAYER_PADDING, {"with tg_full_length(): result 0 is"}},
    {FAULT(NARROW_IN_FULL), TG_LAYER_PADDING, {"with tg_full_length(): the result is [4, 2]"}},
    {FAULT(NOT_ALL_FULL), TG_LAYER_PADDING, {"with lengths of T: ", "no padding"}},
    {FAULT(NARROW_IF_LONG), TG_LAYER_PADDING, {"more padding: the result is [4, 2], not [4, 3]"}},

    {FAULT(NOT_COPIED), TG_LAYER_REPEATS, {"with lengths that change after forward"}},
    {FAULT(DX_AT_TIMES), TG_LAYER_REPEATS, {"dL/dx exists in only one of two passes"}},
    {FAULT(COUNTER), TG_LAYER_REPEATS, {"second pass: the result of sequence 0"}},
    {FAULT(COUNTER_BACK), TG_LAYER_REPEATS, {"second pass: the gradient of layer.weight, elem"}},
    {FAULT(CARRIED), TG_LAYER_REPEATS, {"the result of sequence 0"}},
    {FAULT(SECOND_FAILS), TG_LAYER_REPEATS, {"first pass: test_mean: the second call"}},

    {FAULT(FEW_ROWS), TG_LAYER_THREADS, {"x [16, 64, 3]: ", "too many rows"}},
    {FAULT(THREADS), TG_LAYER_THREADS, {" instead of 1: the result of sequence"}},
    {FAULT(THREADS_BACK), TG_LAYER_THREADS, {"1: the gradient of layer.weight"}},

    {FAULT(MUTE), TG_LAYER_RUNS, {"forward returned NULL and set no error"}},
    {FAULT(PARAMS_FAIL), TG_LAYER_RUNS, {"a parameter needs a name"}},
    {FAULT(WRONG_NAME), TG_LAYER_RUNS, {"\"mean.weight\"", "layer.*"}},
    {FAULT(UNREAD), TG_LAYER_RUNS, {"no operator reads the parameter layer.bias"}},
    {FAULT(WRONG_SHAPE), TG_LAYER_RUNS, {"x [4, 7, 3] gives the result [3, 4]"}},
    {FAULT(NO_INIT), TG_LAYER_RUNS, {"init returned false"}},
    {FAULT(REGISTERS), TG_LAYER_RUNS, {"no operator reads the parameter layer.extra1"}},

    {FAULT(NOT_FROM_FILE), TG_LAYER_FILES, {"loading: the file contains layer.weight, which"}},
    {FAULT(NOT_LOADED), TG_LAYER_FILES, {"saved and loaded: the result of sequence 0"}},

    {FAULT(GROWS), TG_LAYER_MEMORY, {"pass 3 uses", "pass 2 used"}},

    {FAULT(ANY_WIDTH), TG_LAYER_ERRORS, {"a wrong width, x [4, 7, 4], is accepted"}},
    {FAULT(ANY_AXES), TG_LAYER_ERRORS, {"a wrong number of axes, x [4, 3], is accepted"}},
    {FAULT(ANY_LENGTH), TG_LAYER_ERRORS, {"a length above T", "is accepted"}},
    {FAULT(SILENT), TG_LAYER_ERRORS, {"a wrong width", "sets no error on the tape"}},
    {FAULT(DEAF), TG_LAYER_ERRORS, {"x NULL after an error gives a result"}},
};

/* Whether this build makes the check. */
static bool is_made(tg_layer_check check)
{
    if (check == TG_LAYER_GRADIENTS) return sizeof(tg_real) == 8;
#ifndef _OPENMP
    if (check == TG_LAYER_THREADS) return false;
#endif
    return true;
}

/* The caller frees it. */
static char *report_text(const tg_layer_report *report)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    ck_assert(tg_layer_report_write(report, stream));
    fclose(stream);
    return text;
}

START_TEST(each_fault_fails_its_check)
    {
        if (!is_made(faults[_i].check)) return;
        const tg_checked_layer layer = faulty_layer(faults[_i].fault);
        tg_layer_report report;
        ck_assert_msg(!tg_check_layer(&layer, &report) && !report.passed, "%s passed",
                      faults[_i].name);
        char *text = report_text(&report);
        for (int k = 0; k < TG_LAYER_CHECKS; k++) {
            const bool failed = report.lines[k].verdict == TG_LAYER_FAILED;
            ck_assert_msg(failed == (k == (int)faults[_i].check), "%s:\n%s", faults[_i].name, text);
        }
        for (int k = 0; k < 2 && faults[_i].texts[k]; k++)
            ck_assert_msg(strstr(report.lines[faults[_i].check].text, faults[_i].texts[k]) != NULL,
                          "no \"%s\" in:\n%s", faults[_i].texts[k], text);
        ck_assert_msg(strstr(text, "\n1 of 8 checks failed\n") != NULL, "%s", text);
        ck_assert_int_eq(test_folder_count(), 0);
        free(text);
    }
END_TEST

/* The check of files finds a parameter too many as well. */
START_TEST(parameters_that_come_late)
    {
        const tg_checked_layer layer = faulty_layer(REGISTERS_LATE);
        tg_layer_report report;
        ck_assert(!tg_check_layer(&layer, &report));
        const struct tg_layer_line *line = &report.lines[TG_LAYER_MEMORY];
        ck_assert_msg(line->verdict == TG_LAYER_FAILED &&
                          strstr(line->text, "forward registers parameters"),
                      "%s", line->text);
    }
END_TEST

/* ---- crashes ---- */

static const struct {
    test_fault fault;
    const char *last_line;
} crashes[] = {
    {CRASH_DX, "repeats: with x a constant\n"},
    {CRASH_DW, "repeats: with frozen parameters\n"},
    {CRASH_NULL, "errors: x NULL after an error\n"},
    {CRASH_AXES, "errors: a wrong number of axes\n"},
    {CRASH_INIT, "runs: init\n"},
};

/* In a process of its own, which the crash ends. */
START_TEST(after_a_crash_the_last_line_names_the_step)
    {
        FILE *progress = tmpfile();
        ck_assert_ptr_nonnull(progress);
        fflush(NULL);
        const pid_t child = fork();
        if (child == 0) {
            tg_checked_layer layer = faulty_layer(crashes[_i].fault);
            layer.progress = progress;
            tg_check_layer(&layer, NULL);
            _exit(0);
        }
        int status = 0;
        ck_assert(child > 0 && waitpid(child, &status, 0) == child);
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %d", status);
        char line[256], last[256] = "";
        rewind(progress);
        while (fgets(line, sizeof line, progress)) strcpy(last, line);
        ck_assert_str_eq(last, crashes[_i].last_line);
        fclose(progress);
    }
END_TEST

START_TEST(progress_names_every_check)
    {
        char *text = NULL;
        size_t size;
        tg_checked_layer layer = faulty_layer(RIGHT);
        layer.progress = open_memstream(&text, &size);
        ck_assert(tg_check_layer(&layer, NULL));
        fclose(layer.progress);
        for (int k = 0; k < TG_LAYER_CHECKS; k++) {
            char start[32];
            snprintf(start, sizeof start, "%s: ", tg_layer_check_name((tg_layer_check)k));
            if (!is_made((tg_layer_check)k)) continue;
            ck_assert_msg(strstr(text, start) != NULL, "no \"%s\" in:\n%s", start, text);
        }
        free(text);
    }
END_TEST

/* ---- files ---- */

START_TEST(a_file_that_cannot_be_written)
    {
        tg_checked_layer layer = faulty_layer(RIGHT);
        layer.file = "/not/there/layer.check";
        tg_layer_report report;
        const bool passed = tg_check_layer(&layer, &report);
        const struct tg_layer_line *line = &report.lines[TG_LAYER_FILES];
        ck_assert_msg(!passed && line->verdict == TG_LAYER_FAILED &&
                          strstr(line->text, "saving: cannot save /not/there/layer.check"),
                      "%s", line->text);
    }
END_TEST

START_TEST(without_a_file_the_check_is_skipped)
    {
        const tg_checked_layer layer = test_faulty_layer(NOT_LOADED);
        tg_layer_report report;
        ck_assert(tg_check_layer(&layer, &report));
        ck_assert_int_eq(report.lines[TG_LAYER_FILES].verdict, TG_LAYER_SKIPPED);
        char *text = report_text(&report);
        ck_assert_msg(strstr(text, "\nfiles      skipped  ") && strstr(text, " skipped\n"), "%s",
                      text);
        free(text);
    }
END_TEST

/* ---- what is not a fault ---- */

START_TEST(a_layer_for_short_sequences_passes)
    {
        const tg_checked_layer layer = faulty_layer(SHORT_ONLY);
        tg_layer_report report;
        ck_assert_msg(tg_check_layer(&layer, &report), "%s", report.lines[TG_LAYER_MEMORY].text);
        ck_assert_ptr_nonnull(strstr(report.lines[TG_LAYER_MEMORY].text, "growth unknown"));
    }
END_TEST

START_TEST(without_a_report)
    {
        tg_checked_layer layer = faulty_layer(RIGHT);
        ck_assert(tg_check_layer(&layer, NULL));
        layer = faulty_layer(SCALE);
        ck_assert(tg_check_layer(&layer, NULL) == (sizeof(tg_real) == 4));
    }
END_TEST

#ifdef _OPENMP
START_TEST(the_number_of_threads_is_restored)
    {
        const int threads = omp_get_max_threads();
        const tg_checked_layer layer = faulty_layer(RIGHT);
        omp_set_num_threads(3);
        ck_assert(tg_check_layer(&layer, NULL));
        ck_assert_int_eq(omp_get_max_threads(), 3);
        omp_set_num_threads(threads);
    }
END_TEST
#endif

START_TEST(a_write_error_of_the_report)
    {
        const tg_checked_layer layer = faulty_layer(RIGHT);
        tg_layer_report report;
        tg_check_layer(&layer, &report);
        FILE *full = fopen("/dev/full", "w");
        if (!full) return;
        setvbuf(full, NULL, _IONBF, 0);
        ck_assert(!tg_layer_report_write(&report, full));
        fclose(full);
    }
END_TEST

Suite *check_layer_suite(void);
Suite *check_layer_suite(void)
{
    Suite *suite = suite_create("check_layer");
    TCase *tc = tcase_create("check_layer");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_loop_test(tc, each_fault_fails_its_check, 0, (int)COUNT(faults));
    tcase_add_test(tc, parameters_that_come_late);
    tcase_add_loop_test(tc, after_a_crash_the_last_line_names_the_step, 0, (int)COUNT(crashes));
    tcase_add_test(tc, progress_names_every_check);
    tcase_add_test(tc, a_file_that_cannot_be_written);
    tcase_add_test(tc, without_a_file_the_check_is_skipped);
    tcase_add_test(tc, a_layer_for_short_sequences_passes);
    tcase_add_test(tc, without_a_report);
#ifdef _OPENMP
    tcase_add_test(tc, the_number_of_threads_is_restored);
#endif
    tcase_add_test(tc, a_write_error_of_the_report);
    suite_add_tcase(suite, tc);
    return suite;
}
