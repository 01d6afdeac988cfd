/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEATURES_FABRIC_H
#define FEATURES_FABRIC_H 1

/* Private to features: what the fabric's views need of the fabric. */

#include "features/features.h"

struct engine *fabric_engine(const struct fabric *);
struct switches *fabric_switches(const struct fabric *);
const struct scopes *fabric_scopes(const struct fabric *);

#endif /* features/fabric.h */
