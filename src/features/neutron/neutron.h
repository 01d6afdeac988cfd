/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEATURES_NEUTRON_NEUTRON_H
#define FEATURES_NEUTRON_NEUTRON_H 1

/* Neutron's resources as structs.  Private to this feature. */

#include "model/model.h"

#define SCHEMA_DEF "features/neutron/neutron.def"
#include "model/expand-structs.h"

#endif /* features/neutron/neutron.h */
