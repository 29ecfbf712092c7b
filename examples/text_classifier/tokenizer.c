#include "tokenizer.h"

#include "../support/failure.h"
#include "../support/files.h"

#include <stdlib.h>
#include <string.h>

/* Words of grammar: articles, pronouns, prepositions, conjunctions, auxiliaries. Negations (not, no, never, don't, 不, 没) are
 * left out, for they turn a text's meaning round. */
static const char english[] =
    "a an the this that these those i me my mine myself we us our ours ourselves you your yours yourself yourselves he him "
    "his himself she her hers herself it its itself they them their theirs themselves who whom whose which what where when "
    "why how am is are was were be been being have has had having do does did doing will would shall should can could may "
    "might must of at by for with about against between into through during before after above below to from up down in "
    "out on off over under again further then once here there and or if because as until while than so both each such own "
    "same just also i'm i've i'd i'll you're you've you'd you'll he's he'd he'll she's she'd she'll it's it'd it'll we're "
    "we've we'd we'll they're they've they'd they'll that's there's here's what's who's let's";
static const char chinese[] = "的 了 是 在 我 你 您 他 她 它 们 这 那 之 与 和 及 或 而 且 但 又 就 也 都 还 把 被 让 给 对 于 以 从 向 到 "
                              "上 下 里 中 个 为 因 所 由 其 啊 呢 吧 吗 呀 嘛 着 过 地 得 么 哪 谁 会 要 去 来 说";

bool tc_tokenizer_set_stopwords(tc_tokenizer *tokenizer, const char *name)
{
    const char *words = !strcmp(name, "en") ? english : !strcmp(name, "zh") ? chinese : NULL;
    size_t size, bad;
    char *bytes = words ? NULL : tc_file_read(name, &size);
    if (!words && !bytes) return false;
    if (bytes) bytes[size] = 0;
    tc_tokens tokens = {0};
    int32_t rare;
    bool good = words || tc_text_valid(bytes, size, &bad) || tc_fail("%s: byte %zu is not UTF-8 text", name, bad + 1);
    good = good && tc_tokens_add(&tokens, words ? words : bytes);
    if (good && !tokens.count) good = tc_fail("%s: there is no stop word in it: give en, zh, or a file of words", name);
    good = good && tc_vocabulary_build(&tokenizer->stopwords, &tokens, 1, 0, &rare);
    tc_tokens_free(&tokens);
    free(bytes);
    return good;
}

bool tc_tokenize(const tc_tokenizer *tokenizer, tc_tokens *tokens, const char *text)
{
    size_t kept = tokens->count;
    tokens->characters = tokenizer->characters;
    tokens->plain = tokenizer->plain;
    if (!tc_tokens_add(tokens, text)) return false;
    for (size_t i = kept; i < tokens->count; i++) {
        if (tc_names_find(&tokenizer->stopwords, tc_token_word(tokens, i)) < 0) tokens->items[kept++] = tokens->items[i];
    }
    tokens->count = kept;
    return true;
}

void tc_tokenizer_free(tc_tokenizer *tokenizer)
{
    tc_names_free(&tokenizer->stopwords);
}
