/* SPDX-License-Identifier: Apache-2.0 */

/* The compiler's passes in the order they run.  A pass reads only what the
 * passes before it make. */

#include "compile/passes.h"

const struct pass *const compile_passes[] = {
    &pass_locate,     &pass_host,
    &pass_fabric,     &pass_segment,
    &pass_presence,   &pass_unknown,
    &pass_attachment, &pass_guard_fabric,
    &pass_guard,      &pass_answer_fabric,
    &pass_answer,     &pass_answer_self,
    &pass_endpoint,   NULL,
};

const struct index_def *const compile_indexes[] = {
    &plugs_by_endpoint,       &plugs_by_host, &hosts_by_name,
    &attachments_by_endpoint, NULL,
};
