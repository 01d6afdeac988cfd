/* SPDX-License-Identifier: Apache-2.0 */
/* Owned copies of settings: the owner's may go after the call that gave
 * them. */

#include "switches/settings.h"

static void
free_text(const char *text)
{
    free((char *) (uintptr_t) text);
}

void
settings_copy(struct switches_settings *copy,
              const struct switches_settings *settings)
{
    const char **active =
        mem_zalloc((settings->n_active + 1) * sizeof *active);

    for (size_t i = 0; i < settings->n_active; i++) {
        active[i] = mem_text(settings->active[i]);
    }
    *copy = *settings;
    copy->active = active;
    copy->listen_address = mem_text(settings->listen_address);
    copy->controller_address = mem_text(settings->controller_address);
    copy->bridge = mem_text(settings->bridge ? settings->bridge : "br-int");
    copy->tls = (struct tls_files){
        .key = mem_text(settings->tls.key),
        .certificate = mem_text(settings->tls.certificate),
        .ca = mem_text(settings->tls.ca),
    };
    if (!copy->probe_ms) {
        copy->probe_ms = 5000;
    }
    if (!copy->max_sessions) {
        copy->max_sessions = 20 * 1000;
    }
}

void
settings_uninit(struct switches_settings *settings)
{
    for (size_t i = 0; i < settings->n_active; i++) {
        free_text(settings->active[i]);
    }
    free((void *) (uintptr_t) settings->active);
    free_text(settings->listen_address);
    free_text(settings->controller_address);
    free_text(settings->bridge);
    free_text(settings->tls.key);
    free_text(settings->tls.certificate);
    free_text(settings->tls.ca);
}
