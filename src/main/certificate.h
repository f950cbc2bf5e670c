/*
 * main/certificate.h: the self-signed certificate of a first start.
 *
 * Makes a P-256 key and a certificate for hostname, localhost, 127.0.0.1 and ::1, valid for 10
 * years. The key file has mode 0600. Existing files are left alone. EXIT_OK, or told and
 * EXIT_FAILED.
 */
#ifndef MAIN_CERTIFICATE_H
#define MAIN_CERTIFICATE_H

#include "main/config.h"

int certificate_make(const char *cert_path, const char *key_path, struct str hostname);

#endif
