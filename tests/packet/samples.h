/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PACKET_SAMPLES_H
#define PACKET_SAMPLES_H 1

/* Rules and buckets that together use every when_ and then_ function, with
 * their texts: for the unit tests of the pipeline, and to be shown to a real
 * switch. */

#include "pipeline/pipeline.h"

struct sample {
    void (*write)(struct draft *); /* Initialises the draft, too. */
    const char *text;
};

extern const struct sample samples[];
extern const size_t n_samples;

#endif /* tests/packet/samples.h */
