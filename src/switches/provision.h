/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_PROVISION_H
#define SWITCHES_PROVISION_H 1

/* What a switch's database should have, compared with what it has. */

#include "switches/database.h"

/* Returns the operations (RFC 7047, section 5.2) that make it so, an array
 * that begins with the name of the database, or null if there is nothing to
 * change.  Appends to 'lacks' a sentence for each thing that only the
 * operator of the switch can change. */
struct json *provision_operations(const struct database *, struct json *lacks);

#endif /* switches/provision.h */
