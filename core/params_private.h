/* What a tg_params consists of. Private: programs see core/params.h. */
#ifndef TG_PARAMS_PRIVATE_H
#define TG_PARAMS_PRIVATE_H

#include <stdatomic.h>

#include "error.h"
#include "memory.h"
#include "params.h"
#include "shape.h"

enum { TG_MAX_STATES = 4, TG_STATE_NAME = 24 };

/* Names that a file reserves: the metadata's, and optimizer/STATE/NAME for the state of parameter
 * NAME. The state "steps" is the number of Adam's steps. */
#define TG_METADATA_KEY "__metadata__"
#define TG_STATE_PREFIX "optimizer/"
#define TG_STEPS "steps"

/* A parameter and its optimizer state. */
typedef struct tg_param_entry {
    tg_tensor tensor;
    char name[TG_MAX_NAME];
    bool no_decay;
    int64_t steps;                   /* of an optimizer, see tg_params_count_step */
    _Atomic(const tg_real *) packed; /* see tg_prepacked */
    int64_t backward_passes;  /* since its gradient was last cleared, under anomaly detection */
    struct tg_sparse *sparse; /* see sparse.h; NULL for a dense parameter */
    struct {
        char name[TG_STATE_NAME]; /* "exp_avg", ...; empty where unused */
        tg_real *data;            /* of the tensor's size */
    } states[TG_MAX_STATES];
} tg_param_entry;

/* Drops the gradient: it is used up, or not wanted. */
void tg_param_drop_grad(tg_param_entry *entry);

/* A tensor of a loaded file that waits for its parameter. */
typedef struct tg_loaded {
    tg_tensor tensor; /* without data */
    const struct tg_number_format *format;
    const unsigned char *begin, *end; /* of its bytes */
    bool claimed;
} tg_loaded;

typedef struct tg_loaded_file {
    tg_arena arena; /* of all that was read */
    tg_loaded *tensors;
    size_t count;
} tg_loaded_file;

/* A text of the metadata, in a list. */
typedef struct tg_metadata {
    struct tg_metadata *next;
    const char *value; /* after the key */
    char key[];
} tg_metadata;

/* A copy of a key and its value; NULL, with the error set, if there is no memory. */
tg_metadata *tg_metadata_new(tg_params *params, const char *key, const char *value);

/* Frees a whole list. */
void tg_metadata_free(tg_metadata *list);

struct tg_params {
    uint64_t seed;
    tg_arena arena; /* tensors, gradients, states: all until tg_params_free */
    tg_param_entry **entries;
    int64_t count, capacity;
    tg_metadata *metadata; /* in the order in which the keys were first set */
    tg_loaded_file loaded; /* from tg_params_load to tg_params_finish_load */
    bool from_file;        /* a parameter that the file lacks is an error */
    bool inference;        /* nobody writes the parameters: prepacked weights are kept */
    tg_arena packed;
    atomic_flag packing; /* one thread packs at a time */
    tg_error error;
};

/* Memory that lives as long as `params`, cleared. NULL, with the error set, if there is none. */
void *tg_params_alloc(tg_params *params, size_t bytes);

/* The optimizer state of that name, zeros when it is new. NULL, with the error set, if there is no
 * memory. */
tg_real *tg_param_state(tg_params *params, tg_param_entry *entry, const char *name);

/* Whether a file contains a parameter, and its tensors fit the parameter and its states: they have
 * its shape, except the count of steps, which is one number. Otherwise sets the error. This runs
 * before memory for the numbers is taken, so that a small file cannot make a program allocate a
 * large model. */
bool tg_param_fits(tg_params *params, const tg_param_entry *entry, const tg_loaded_file *file);

/* Gives a parameter that fits its values and optimizer state from the loaded file. False, with the
 * error set, if there is no memory. */
bool tg_param_claim(tg_params *params, tg_param_entry *entry);

/* The transpose of a parameter [out, in], packed as products read it: packed at first use and
 * kept in inference mode; NULL otherwise. In prepack.c. */
const tg_real *tg_prepacked(const tg_tensor *weight);

#endif
