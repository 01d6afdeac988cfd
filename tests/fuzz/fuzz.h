/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H 1

/* What a fuzz target defines: one call per input, https://llvm.org/docs/
 * LibFuzzer.html. */

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* fuzz/fuzz.h */
