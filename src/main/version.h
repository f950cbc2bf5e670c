/* main/version.h: the version, as meson.build names it. */
#ifndef MAIN_VERSION_H
#define MAIN_VERSION_H

#ifndef POSTRIDER_VERSION
#error "meson.build defines POSTRIDER_VERSION"
#endif

#endif
