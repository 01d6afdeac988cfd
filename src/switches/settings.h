/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_SETTINGS_H
#define SWITCHES_SETTINGS_H 1

#include "switches/switches.h"

/* Owned copies of settings. */
void settings_copy(struct switches_settings *,
                   const struct switches_settings *);
void settings_uninit(struct switches_settings *);

#endif /* switches/settings.h */
