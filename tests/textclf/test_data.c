/* Data files and their errors, held-out rows, batches. */

#include "../../examples/support/failure.h"
#include "../../examples/text_classifier/data/batch.h"
#include "test_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- data ---- */

static char path[] = "/tmp/textclf-test-XXXXXX";

static void write_data(const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

#define WRITE(text) write_data(text, sizeof text - 1)

START_TEST(rows)
    {
        tc_dataset data;
        WRITE("\xEF\xBB\xBFgood\tpos\r\n\n   \r\n\tneg\na\tb\tneg\nbad\t pos \nlast\tneg");
        ck_assert_msg(tc_dataset_read(&data, path, NULL), "%s", ex_failure());
        static const struct {
            const char *text, *label;
            int line;
        } expected[] = {{"good", "pos", 1},
                        {"", "neg", 4},
                        {"a\tb", "neg", 5},
                        {"bad", "pos", 6},
                        {"last", "neg", 7}};
        ck_assert_int_eq(data.count, 5);
        for (int i = 0; i < 5; i++) {
            ck_assert_str_eq(data.rows[i].text, expected[i].text);
            ck_assert_str_eq(data.rows[i].label_name, expected[i].label);
            ck_assert_int_eq(data.rows[i].line, expected[i].line);
        }
        ex_names labels;
        ck_assert(tc_dataset_labels(&labels, &data));
        ck_assert_int_eq(labels.count, 2);
        ck_assert_str_eq(labels.items[0], "neg");
        ck_assert(tc_dataset_encode_labels(&data, &labels));
        ck_assert_int_eq(data.rows[0].label, 1);
        ex_names_free(&labels);
        tc_dataset_free(&data);
    }
END_TEST

/* The failure must be the file's name and then `expected`. */
static void check_refused(const char *bytes, size_t size, const char *expected)
{
    tc_dataset data;
    ex_names labels = {0};
    write_data(bytes, size);
    ex_failure_clear();
    bool good = tc_dataset_read(&data, path, NULL) && tc_dataset_labels(&labels, &data);
    ck_assert_msg(!good, "accepted: %s", expected);
    ck_assert_ptr_nonnull(ex_failure());
    ck_assert_msg(!strncmp(ex_failure(), path, strlen(path)), "%s", ex_failure());
    ck_assert_msg(!strncmp(ex_failure() + strlen(path), expected, strlen(expected)), "%s",
                  ex_failure());
    tc_dataset_free(&data);
    ex_failure_clear();
}

#define REFUSED(bytes, expected) check_refused(bytes, sizeof bytes - 1, expected)

START_TEST(refused)
    {
        REFUSED("", ":1: the file has no rows");
        REFUSED("\n\r\n  \n", ":1: the file has no rows");
        REFUSED("\xEF\xBB\xBF", ":1: the file has no rows");
        REFUSED("good\tpos\nno tab here\n", ":2: the line has no tab");
        REFUSED("good\t\nbad\t  \r\n", ":1: 0 of 2 rows have a label");
        REFUSED("good\tpos\nca\xE9\tneg\n", ":2: byte 3 of the line, 0xE9, is not valid UTF-8");
        REFUSED("good\tpos\nbad\tn\xFFg\n", ":2: byte 6 of the line, 0xFF, is not valid UTF-8");
        REFUSED("good\tpos\nb\0d\tneg\n", ":2: byte 2 of the line, 0x00, is not valid UTF-8");
        REFUSED("\xFF\xFEg\0", ":1: byte 1 of the line, 0xFF, is not valid UTF-8");
        REFUSED("good\tpos\nbad\tpos\n", ":1: every row has the label \"pos\"");
        REFUSED("1\ta\n2\tb\n3\tc\n4\td\n5\te\n6\tf\n7\tg\n8\th\n9\ti\n0\tj\n",
                ":1: 10 different labels in 10 rows");
    }
END_TEST

START_TEST(unreadable)
    {
        tc_dataset data;
        static const char *const names[] = {"/no/such/file.tsv", "/tmp", "builtin:nothing"};
        for (size_t i = 0; i < 3; i++) {
            ex_failure_clear();
            ck_assert(!tc_dataset_read(&data, names[i], NULL));
            ck_assert_msg(!strncmp(ex_failure(), names[i], strlen(names[i])), "%s", ex_failure());
        }
        ex_failure_clear();
    }
END_TEST

/* ---- formats ---- */

/* The rows, each as "line label|text;", must be `expected`, and the dialect's description must
 * start with `about`. */
static void check_read(const char *bytes, size_t size, const tc_read_options *options,
                       const char *about, const char *expected)
{
    tc_dataset data;
    char found[1024] = "";
    write_data(bytes, size);
    ex_failure_clear();
    ck_assert_msg(tc_dataset_read(&data, path, options), "%s", ex_failure());
    for (int32_t i = 0; i < data.count; i++) {
        ex_append(found, sizeof found, "%d %s|%s;", data.rows[i].line, data.rows[i].label_name,
                  data.rows[i].text);
    }
    ck_assert_str_eq(found, expected);
    ck_assert_msg(!strncmp(data.dialect.description, about, strlen(about)), "%s",
                  data.dialect.description);
    tc_dataset_free(&data);
}

#define READ(bytes, about, expected) check_read(bytes, sizeof bytes - 1, NULL, about, expected)
#define READ_AS(bytes, about, expected, ...) \
    check_read(bytes, sizeof bytes - 1, &(tc_read_options){__VA_ARGS__}, about, expected)

/* The failure must contain `expected`. */
static void check_refused_as(const char *bytes, size_t size, const tc_read_options *options,
                             const char *expected)
{
    tc_dataset data;
    write_data(bytes, size);
    ex_failure_clear();
    ck_assert_msg(!tc_dataset_read(&data, path, options), "accepted: %s", expected);
    ck_assert_msg(strstr(ex_failure(), expected) != NULL, "%s", ex_failure());
    ex_failure_clear();
}

#define REFUSED_AS(bytes, expected, ...) \
    check_refused_as(bytes, sizeof bytes - 1, &(tc_read_options){__VA_ARGS__}, expected)

/* RFC 4180, section 2, rule by rule, and common deviations. */
START_TEST(csv)
    {
        static const char with[] =
            "CSV with a header, text is column \"text\", label is column \"label\"";
        READ("text,label\r\ngood,p\r\nbad,n\r\n", with, "2 p|good;3 n|bad;"); /* 1: CRLF */
        READ("text,label\ngood,p\nbad,n", with,
             "2 p|good;3 n|bad;"); /* 2: no end of the last line */
        READ("a b,p\nc,n\nd,p\n", "CSV without a header, text is column 1, label is column 2",
             "1 p|a b;2 n|c;3 p|d;");                            /* 3 */
        READ("text,label\n go od ,p\n", with, "2 p| go od ;");   /* 4: blanks are kept */
        READ("text,label\n\"good\",\"p\"\n", with, "2 p|good;"); /* 5 */
        READ("text,label\n\"a, b\",p\n\"c\nd\r\n\ne\",n\nf,p\n", with,
             "2 p|a, b;3 n|c\nd\r\n\ne;7 p|f;"); /* 6 */
        READ("text,label\n\"a \"\"b\"\" \"\"\",p\n\"\"\"\",n\n", with,
             "2 p|a \"b\" \";3 n|\";"); /* 7 */
        READ("text,label\n\"\",p\n,n\nx,p\n", with, "2 p|;3 n|;4 p|x;");
        READ("text,label\r\"a\rb\",p\rc,n\r", with,
             "2 p|a\nb;4 n|c;"); /* lines that end in CR alone */
        REFUSED_AS("text,label\n\"\",p\n ,n\n", ":2: 0 of 2 rows have a text", .format = TC_AUTO);
        REFUSED_AS("{\"text\": \"a\", \"label\": \"p\"}\n", "; this looks like JSON",
                   .format = TC_AUTO);
        READ("text,label\na, \"b\" \n \"c\" , d \r\n", with,
             "2 b|a;3 d|c;"); /* blanks outside of quotes */
        READ("text,label\na \"b\" c,p\n5\" tv,n\n", with,
             "2 p|a \"b\" c;3 n|5\" tv;"); /* a quote in the middle */
        READ("\xEF\xBB\xBF\"text\",label\n\n \r\na,p\n", with, "4 p|a;"); /* mark, empty lines */
        READ("text,label\n\"a\",\"p\"", with, "2 p|a;"); /* a quote is the last byte */
        REFUSED_AS("text,label\na,p\n\"b\n,n\nc,p\n", ":3: the quote that opens",
                   .format = TC_AUTO);
        REFUSED_AS("text,label\na,p\n\"b\nc\"d,n\n", ":4: text follows a closing quote",
                   .format = TC_AUTO);
        REFUSED_AS("\"a,p", ":1: the quote that opens", .format = TC_AUTO);
        REFUSED_AS("text,label\na,p\n\nb\n", ":4: the row has 1 column, but the first row has 2",
                   .format = TC_AUTO);
        REFUSED_AS("label,text\np,a\nn,b, c\np,d\n",
                   ":3: the row has 3 columns, but the first row has 2; fields that contain the",
                   .format = TC_AUTO);
        char many[10001];
        memset(many, ',', sizeof many);
        check_refused_as(many, sizeof many, NULL, ":1: more than 10000 columns");
        REFUSED_AS("text,label\n", ":1: the file has no rows", .format = TC_AUTO);
        REFUSED_AS("text,label\na,\n", ":2: 0 of 1 rows have a label", .format = TC_AUTO);
    }
END_TEST

START_TEST(delimiters)
    {
        READ("text;label\na, b;p\n\"c;d\";n\n", "CSV (delimiter: \";\") with a header",
             "2 p|a, b;3 n|c;d;");
        READ("text|label\na, b|p\nc|n\n", "CSV (delimiter: \"|\") with a header",
             "2 p|a, b;3 n|c;");
        READ("a, b; c\tp\nd, e; f\tn\n", "TSV without a header",
             "1 p|a, b; c;2 n|d, e; f;"); /* a tab comes first */
        READ("a\tb, c\tp\nd, e\tn\nf, g\tp\n", "TSV without a header",
             "1 p|a\tb, c;2 n|d, e;3 p|f, g;"); /* also with several tabs */
        READ("\"a\" b\tp\n\"c\tn\n", "TSV without a header",
             "1 p|\"a\" b;2 n|\"c;"); /* quotes are plain characters */
        READ("text\tlabel\n\"a\nb\"\tp\nc\tn\n", "CSV (delimiter: tab) with",
             "2 p|a\nb;4 n|c;"); /* unless the lines make sense only with quotes */
        READ("text\tlabel\na\tp\n", "TSV with a header, text is column \"text\"", "2 p|a;");
        READ_AS("\"a\tb\"\tp\nc\tn\n", "CSV (delimiter: tab) without", "1 p|a\tb;2 n|c;",
                .format = TC_CSV);
        READ_AS("a:p\n\"b:\":n\n", "CSV (delimiter: \":\")", "1 p|a;2 n|b:;", .delimiter = ":");
        READ_AS("\"a:p\nb:n\n", "TSV (delimiter: \":\")", "1 p|\"a;2 n|b;", .delimiter = ":",
                .format = TC_TSV);
        READ_AS("a,b\tp\n", "TSV without", "1 p|a,b;", .delimiter = "tab");
        REFUSED_AS("a,p\n", "--delimiter ab: must be one", .delimiter = "ab");
        REFUSED_AS("a,p\n", "--delimiter \": must be one", .delimiter = "\"");
        REFUSED_AS("a,p\n", "--delimiter: --format fasttext has no delimiter", .delimiter = ",",
                   .format = TC_FASTTEXT);
        REFUSED_AS("a,p\n", ":1: the file has one column", .delimiter = ";");
        REFUSED_AS(
            "text\tlabel\na\tb\tp\n",
            ":2: the row has 3 columns, but the first row has 2; a text must not contain a tab",
            .format = TC_AUTO);
    }
END_TEST

START_TEST(columns)
    {
        static const char four[] = "id,title,body,kind\n1,T,\"b, c\",p\n2,,d,n\n";
        READ(four,
             "CSV with a header, text is columns \"title\" and \"body\", label is column \"kind\"",
             "2 p|T b, c;3 n|d;");
        READ_AS(four, "CSV with a header, text is column \"body\", label is column \"id\"",
                "2 1|b, c;3 2|d;", .text = "BODY", .label = "1");
        READ_AS(four, "CSV with a header, text is columns \"body\" and \"title\"",
                "2 p|b, c T;3 n|d ;", .text = "body,2");
        READ("3,\"Head one\",\"text a\"\n4,\"Head two\",\"text b\"\n3,\"Head\",\"text c\"\n",
             "CSV without a header, text is columns 2 and 3, label is column 1",
             "1 3|Head one text a;2 4|Head two text b;3 3|Head text c;");
        READ("v1,v2,,\np,a b,,\nn,c d,,\np,e f,,\np,e g,,\nn,e h,,\nn,e i,,\np,j,,\nn,k,,\nn,l,,\n",
             "CSV with a header, text is column \"v2\", label is column \"v1\"",
             "2 p|a b;3 n|c d;4 p|e f;5 p|e g;6 n|e h;7 n|e i;8 p|j;9 n|k;10 n|l;");
        READ("1,p,a,z\n2,n,b,y\n3,p,c,x\n4,n,d,w\n",
             "CSV without a header, text is column 1, label is column 2",
             "1 p|1;2 n|2;3 p|3;4 n|4;");
        READ("Review , SENTIMENT\na,p\n", "CSV with a header", "2 p|a;");
        READ("label,a\ntext,b\nlabel,c\n",
             "CSV without a header, text is column 2, label is column 1",
             "1 label|a;2 text|b;3 label|c;");
        READ("\xE6\xA0\x87\xE7\xAD\xBE,\xE8\xAF\x84\xE8\xAE\xBA\n1,a\n", "CSV with a header",
             "2 1|a;"); /* in Chinese */
#define FIVE "\u6D4B\u6D4B\u6D4B\u6D4B\u6D4B"
        READ(FIVE FIVE FIVE ",label\na,p\n",
             "CSV with a header, text is column \"" FIVE FIVE "\u6D4B\u6D4B\u6D4B...\",", "2 p|a;");
        READ_AS("x,y\na,p\n", "CSV with a header", "2 p|a;", .header = TC_HEADER_YES);
        READ_AS("text,label\na,p\n", "CSV without a header", "1 label|text;2 p|a;",
                .header = TC_HEADER_NO);
        READ_AS("x\ty\na\tp\n", "TSV with a header", "2 a|p;", .label = "x");
        READ_AS("p\ta\tb\n", "TSV without a header, text is column 3, label is column 1", "1 p|b;",
                .label = "1", .text = "3");
        REFUSED_AS(four,
                   "--text tilte: no such column; the first row has 1 \"id\", 2 "
                   "\"title\", 3 \"body\", 4 \"kind\"",
                   .text = "tilte");
        REFUSED_AS(four, "--label 5: no such column", .label = "5");
        REFUSED_AS(four, "--label 0: no such column", .label = "0");
        REFUSED_AS(four, "--text : no such column", .text = "title,,body");
        REFUSED_AS(four, "--label kind: with --header no, columns have no names", .label = "kind",
                   .header = TC_HEADER_NO);
        REFUSED_AS(four, "names column 2 twice", .text = "title,2");
        REFUSED_AS(four, "column 3 is both text and label", .text = "body", .label = "body");
        REFUSED_AS("__label__a b\n", "--text and --label choose columns", .text = "1");
    }
END_TEST

/* A first row that may be data is not a header. */
START_TEST(headers)
    {
        READ("good\tpos\nbad\tneg\n", "TSV without a header, the label follows the last tab",
             "1 pos|good;2 neg|bad;");
        READ("good\tpos\ngood\tneg\n", "TSV without",
             "1 pos|good;2 neg|good;"); /* and the first column is not the label */
        READ("x\todd\na\tp\nb\tn\nc\tp\nd\tn\ne\tp\nf\tn\ng\tp\nh\tn\n",
             "TSV without", /* too few rows to decide */
             "1 odd|x;2 p|a;3 n|b;4 p|c;5 n|d;6 p|e;7 n|f;8 p|g;9 n|h;");
        READ("x\tkind\na\tp\nb\tn\nc\tp\nd\tn\ne\tp\nf\tn\ng\tp\nh\tn\ni\tp\n",
             "TSV with a header, text is column \"x\"",
             "2 p|a;3 n|b;4 p|c;5 n|d;6 p|e;7 n|f;8 p|g;9 n|h;10 p|i;");
        READ("x y\tkind\na\tp\nb\tn\nc\tp\nd\tn\ne\tp\nf\tn\ng\tp\nh\tn\ni\tp\n",
             "TSV without", /* not a name */
             "1 kind|x y;2 p|a;3 n|b;4 p|c;5 n|d;6 p|e;7 n|f;8 p|g;9 n|h;10 p|i;");
        READ("x\tkind\na\tp\nb\tn\nc\tp\nd\tn\ne\tp\nf\tn\ng\tp\nh\tn\ni\trare\n",
             "TSV without", /* another rare label */
             "1 kind|x;2 p|a;3 n|b;4 p|c;5 n|d;6 p|e;7 n|f;8 p|g;9 n|h;10 rare|i;");
        /* the label comes first: the last column differs in each of ten rows */
        READ("p\ta\nn\tb\np\tc\nn\td\np\te\nn\tf\np\tg\nn\th\np\ti\nn\tj\np\tk\n",
             "TSV without a header, text is column 2",
             "1 p|a;2 n|b;3 p|c;4 n|d;5 p|e;6 n|f;7 p|g;8 n|h;9 p|i;10 n|j;11 p|k;");
    }
END_TEST

START_TEST(lines)
    {
        static const char about[] = "fastText lines";
        READ("__label__p good, film\r\n\n __label__n\tbad __label__\n", about,
             "1 p|good, film;3 n|bad;");
        READ("a b __label__p\nc __label__ d __label__n \n__label__p", about,
             "1 p|a b;2 n|c __label__ d;3 p|;");
        READ("__label__p __label__n a\n__label__n b __label__p\nc __label__n __label__p\nd "
             "__label__p\n",
             about, "1 p|a;2 n|b;3 n|c;4 p|d;");
        READ("__label__p a\nb c\n__label__ d\n__label__n e\n", about,
             "1 p|a;4 n|e;"); /* rows without a label */
        READ_AS("p good film\nn\tbad\r\np\n", "lines of label and text",
                "1 p|good film;2 n|bad;3 p|;", .format = TC_LABEL_TEXT);
        REFUSED_AS("a b\nc d\n",
                   "0 of 2 rows have a label (fastText lines, the label follows __label__); "
                   "name the right --format",
                   .format = TC_FASTTEXT);
        READ_AS("good film p\nbad\tn\r\np\n", "lines of text and label",
                "1 p|good film;2 n|bad;3 p|;", .format = TC_TEXT_LABEL);
        READ_AS("text label\ngood p\n", "lines of text and label, with a header", "2 p|good;",
                .format = TC_TEXT_LABEL, .header = TC_HEADER_YES);
        REFUSED_AS("p good film\nn bad\n", ":1: the line has no tab", .format = TC_AUTO);
        tc_dataset data;
        WRITE("__label__p __label__n a\n__label__p b\nc\nd\n__label__p\n");
        ck_assert(tc_dataset_read(&data, path, NULL));
        ck_assert_int_eq(data.multi_labelled, 1);
        ck_assert_int_eq(data.unlabelled, 2);
        ck_assert_int_eq(data.unlabelled_line, 3);
        ck_assert_int_eq(data.empty, 1);
        ck_assert_int_eq(data.empty_line, 5);
        tc_dataset_free(&data);
    }
END_TEST

START_TEST(encodings)
    {
        READ_AS("caf\xE9\tp\n", "TSV", "1 p|caf\u00E9;", .encoding = "latin1");
        READ_AS("\xBA\xC3,p\n\xBB\xB5,n\n", "CSV", "1 p|\u597D;2 n|\u574F;", .encoding = "gb18030");
        READ_AS("\xFF\xFE"
                "a\0\t\0p\0\n\0",
                "TSV", "1 p|a;", .encoding = "utf-16");
        READ_AS("\xEF\xBB\xBF\u00E9\tp\n", "TSV", "1 p|\u00E9;", .encoding = "utf-8");
        char many[9001]; /* each byte becomes two */
        memset(many, 0xE9, sizeof many);
        memcpy(many + sizeof many - 3, "\tp\n", 3);
        write_data(many, sizeof many);
        tc_dataset data;
        ck_assert(tc_dataset_read(&data, path, &(tc_read_options){.encoding = "latin1"}));
        ck_assert_int_eq((int)strlen(data.rows[0].text), 2 * 8998);
        tc_dataset_free(&data);
        REFUSED_AS("a\tp\n", "--encoding latin: unknown encoding", .encoding = "latin");
        REFUSED_AS("a\tp\nb\xFFg\tn\n", ":2: byte 2 of the line, 0xFF, is not valid gb18030",
                   .encoding = "gb18030");
        REFUSED_AS("a\tp\nb\xBA", ":2: byte 2 of the line, 0xBA, is not valid gb18030",
                   .encoding = "gb18030"); /* half a character */
        REFUSED_AS("\xFF\xFE"
                   "a\0",
                   "add --encoding utf-16", .format = TC_AUTO);
        REFUSED_AS("\x1F\x8B\x08", "gunzip", .format = TC_AUTO);
    }
END_TEST

START_TEST(unseen_label)
    {
        tc_dataset data;
        ex_names labels;
        static const char *const known[] = {"neg", "pos"};
        ck_assert(ex_names_set(&labels, "labels", known, 2));
        WRITE("a\tpos\n\nb\tneutral\n");
        ck_assert(tc_dataset_read(&data, path, NULL));
        ck_assert(!tc_dataset_encode_labels(&data, &labels));
        ck_assert_ptr_nonnull(strstr(ex_failure(), ":3: the label \"neutral\" does not occur"));
        ex_failure_clear();
        tc_dataset_free(&data);
        ex_names_free(&labels);
    }
END_TEST

START_TEST(encoding)
    {
        tc_dataset data;
        ex_names words;
        int32_t rare;
        build_vocabulary(&words, "a b a", 1, &rare);
        WRITE("a x b\tp\n\tn\nb b b b\tp\n");
        ck_assert(tc_dataset_read(&data, path, NULL));
        ck_assert(tc_dataset_encode_texts(&data, &(tc_tokenizer){0}, &words, 3));
        ck_assert_int_eq(data.rows[0].length, 3);
        ck_assert_int_eq(data.rows[0].ids[0], 2);
        ck_assert_int_eq(data.rows[0].ids[1], EX_UNKNOWN);
        ck_assert_int_eq(data.rows[0].ids[2], 3);
        ck_assert_int_eq(data.rows[1].length, 0);
        ck_assert_int_eq(data.rows[2].length, 3);
        for (int i = 0; i < 3; i++) ck_assert_int_eq(data.rows[2].ids[i], 3);
        ck_assert_int_eq(data.truncated, 1);
        ck_assert_int_eq(data.tokens, 6);
        ck_assert_int_eq(data.unknown, 1);
        tc_dataset_free(&data);
        ex_names_free(&words);
    }
END_TEST

START_TEST(builtins)
    {
        static const struct {
            const char *name;
            int least;
        } known[] = {{"builtin:documents", 4},     {"builtin:english", 400},
                     {"builtin:chinese", 200},     {"builtin:reviews", 600},
                     {"builtin:english-test", 50}, {"builtin:chinese-test", 20},
                     {"builtin:reviews-test", 70}};
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            tc_dataset data;
            ex_names labels;
            ck_assert_msg(tc_dataset_read(&data, known[i].name, NULL), "%s", ex_failure());
            ck_assert_int_ge(data.count, known[i].least);
            ck_assert(tc_dataset_labels(&labels, &data));
            ck_assert_int_eq(labels.count, 2);
            ex_names_free(&labels);
            tc_dataset_free(&data);
        }
    }
END_TEST

/* ---- held-out rows and batches ---- */

static void read_builtin(tc_dataset *data, ex_names *labels, ex_names *words)
{
    int32_t rare;
    ck_assert(tc_dataset_read(data, "builtin:reviews", NULL) && tc_dataset_labels(labels, data) &&
              tc_dataset_encode_labels(data, labels));
    build_vocabulary(words, "the a \u4E86", 1, &rare);
    ck_assert(tc_dataset_encode_texts(data, &(tc_tokenizer){0}, words, 1000));
}

START_TEST(split)
    {
        tc_dataset data, again;
        ex_names labels;
        int32_t held_out, held_out_again;
        ck_assert(tc_dataset_read(&data, "builtin:reviews", NULL) &&
                  tc_dataset_read(&again, "builtin:reviews", NULL));
        ck_assert(tc_dataset_labels(&labels, &data) && tc_dataset_encode_labels(&data, &labels));
        ck_assert(tc_dataset_encode_labels(&again, &labels));
        ck_assert(tc_dataset_hold_out(&data, &labels, 1, &held_out) &&
                  tc_dataset_hold_out(&again, &labels, 1, &held_out_again));
        ck_assert_int_eq(held_out, data.count / 10);
        char *seen = calloc((size_t)data.count + 2, 1);
        int different = 0, kinds[2] = {0, 0};
        for (int32_t i = 0; i < data.count; i++) {
            ck_assert_int_eq(data.rows[i].line,
                             again.rows[i].line);  /* the same seed, the same order */
            ck_assert(!seen[data.rows[i].line]++); /* each row once */
            different += data.rows[i].line != i + 1;
            if (i >= data.count - held_out) kinds[data.rows[i].label]++;
        }
        ck_assert_int_gt(different, data.count / 2);
        ck_assert(kinds[0] > 0 && kinds[1] > 0);
        free(seen);
        tc_dataset_free(&data);
        tc_dataset_free(&again);
        ex_names_free(&labels);
    }
END_TEST

START_TEST(split_keeps_labels)
    {
        tc_dataset data;
        ex_names labels;
        int32_t held_out;
        WRITE("a\tx\nb\ty\nc\tz\nd\tx\nd\tx\nd\tx\nd\tx\nd\tx\nd\tx\nd\tx\n"
              "d\tx\nd\tx\nd\tx\nd\tx\nd\tx\nd\tx\nd\tx\nd\tx\nd\tx\nd\tx\n");
        for (uint64_t seed = 0; seed < 50;
             seed++) { /* the one y and the one z are never held out */
            ck_assert(tc_dataset_read(&data, path, NULL) && tc_dataset_labels(&labels, &data) &&
                      tc_dataset_encode_labels(&data, &labels));
            ck_assert(tc_dataset_hold_out(&data, &labels, seed, &held_out));
            ck_assert_int_eq(held_out, 2);
            for (int i = 18; i < 20; i++) ck_assert_str_eq(data.rows[i].label_name, "x");
            ex_names_free(&labels);
            tc_dataset_free(&data);
        }
        WRITE("a\tx\nb\ty\n");
        ck_assert(tc_dataset_read(&data, path, NULL) && tc_dataset_labels(&labels, &data) &&
                  tc_dataset_encode_labels(&data, &labels));
        ck_assert(tc_dataset_hold_out(&data, &labels, 1, &held_out));
        ck_assert_int_eq(held_out, 0); /* too few rows to hold any out */
        ex_names_free(&labels);
        tc_dataset_free(&data);
    }
END_TEST

/* Each row must come once, with its ids, length and label, in batches padded to their longest row.
 * Returns how often the length falls from one row to the next. */
static int check_batches(tc_batches *batches, const tc_dataset *data)
{
    char *seen = calloc((size_t)data->count, 1);
    int32_t total = 0, before = 0;
    int falls = 0;
    for (int32_t i = 0; i < batches->count; i++) {
        const tc_batch *batch = tc_batches_get(batches, i);
        int32_t longest = 1;
        for (int32_t b = 0; b < batch->rows; b++) {
            const tc_row *row = &data->rows[batch->index[b]];
            ck_assert(!seen[batch->index[b]]++);
            ck_assert_int_eq(batch->lengths[b], row->length);
            ck_assert_int_eq(batch->labels[b], row->label);
            for (int32_t t = 0; t < batch->time; t++) {
                ck_assert_int_eq(batch->tokens[b * batch->time + t],
                                 t < row->length ? row->ids[t] : EX_PADDING);
            }
            if (row->length > longest) longest = row->length;
            falls += row->length < before;
            before = row->length;
        }
        ck_assert_int_eq(batch->time, longest);
        total += batch->rows;
    }
    ck_assert_int_eq(total, data->count);
    free(seen);
    return falls;
}

START_TEST(batching)
    {
        static const int32_t sizes[] = {1, 7, 32, 10000};
        tc_dataset data;
        ex_names labels, words;
        read_builtin(&data, &labels, &words);
        for (size_t s = 0; s < 4; s++) {
            tc_batches batches;
            ck_assert(tc_batches_init(&batches, (tc_slice){data.rows, data.count}, sizes[s]));
            ck_assert_int_eq(check_batches(&batches, &data), 0); /* by length at first */
            tg_random random = tg_random_new(1, "test");
            int32_t first = tc_batches_get(&batches, 0)->index[0], changes = 0;
            for (int epoch = 0; epoch < 4; epoch++) {
                tc_batches_shuffle(&batches, &random);
                int falls = check_batches(&batches, &data);
                if (sizes[s] == 32)
                    ck_assert(falls > 0 &&
                              falls < batches.count); /* between batches, never within */
                changes += tc_batches_get(&batches, 0)->index[0] != first;
            }
            if (sizes[s] < 100) ck_assert_int_gt(changes, 0);
            tc_batches_free(&batches);
        }
        ex_names_free(&labels);
        ex_names_free(&words);
        tc_dataset_free(&data);
    }
END_TEST

START_TEST(batch_of_nothing)
    {
        tc_row two[2] = {{.text = "", .label = 0}, {.text = "", .label = 1}};
        tc_batches batches;
        ck_assert(tc_batches_init(&batches, (tc_slice){two, 2}, 2));
        const tc_batch *batch = tc_batches_get(&batches, 0);
        ck_assert_int_eq(batch->rows, 2);
        ck_assert_int_eq(batch->time, 1);
        ck_assert_int_eq(batch->lengths[0] + batch->lengths[1], 0);
        ck_assert_int_eq(batch->tokens[0] + batch->tokens[1], EX_PADDING);
        tc_batches_free(&batches);
    }
END_TEST

static void make_file(void)
{
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    close(file);
}

static void remove_file(void) { remove(path); }

TCase *data_cases(void)
{
    TCase *data = tcase_create("data");
    tcase_add_unchecked_fixture(data, make_file, remove_file);
    tcase_add_test(data, rows);
    tcase_add_test(data, refused);
    tcase_add_test(data, unreadable);
    tcase_add_test(data, csv);
    tcase_add_test(data, delimiters);
    tcase_add_test(data, columns);
    tcase_add_test(data, headers);
    tcase_add_test(data, lines);
    tcase_add_test(data, encodings);
    tcase_add_test(data, unseen_label);
    tcase_add_test(data, encoding);
    tcase_add_test(data, builtins);
    tcase_add_test(data, split);
    tcase_add_test(data, split_keeps_labels);
    tcase_add_test(data, batching);
    tcase_add_test(data, batch_of_nothing);
    return data;
}
