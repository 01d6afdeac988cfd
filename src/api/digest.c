/* SPDX-License-Identifier: Apache-2.0 */
/* What HTTP needs of cryptography: digests and base64.
 *
 * Kept apart, so that one file of this layer knows libcrypto, which no socket,
 * clock or randomness is behind.  Pure functions. */

#include "api/api-private.h"

#include <openssl/evp.h> /* layers: computes, does no input or output */
#include <openssl/sha.h> /* layers: computes, does no input or output */

_Static_assert(DIGEST_SIZE == SHA256_DIGEST_LENGTH, "one size");

/* RFC 6455, section 1.3. */
#define WEBSOCKET_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

void
digest_salted(const uint8_t *salt, size_t salt_size, const char *text,
              uint8_t digest[DIGEST_SIZE])
{
    size_t length = strlen(text);
    uint8_t *all = mem_alloc(salt_size + length);
    memcpy(all, salt, salt_size);
    memcpy(all + salt_size, text, length);
    SHA256(all, salt_size + length, digest);
    explicit_bzero(all, salt_size + length);
    free(all);
}

char *
base64_decode(const char *text, size_t length, size_t *sizep)
{
    if (!length || length % 4 || length > INT32_MAX) {
        return NULL;
    }
    char *decoded = mem_zalloc(length + 1);
    int size = EVP_DecodeBlock((unsigned char *) decoded,
                               (const unsigned char *) text, (int) length);
    if (size < 0) {
        free(decoded);
        return NULL;
    }
    /* EVP_DecodeBlock() counts the padding as zeros. */
    for (size_t i = length; size && i && text[i - 1] == '='; i--) {
        size--;
    }
    *sizep = (size_t) size;
    return decoded;
}

char *
websocket_accept_key(const char *key)
{
    AUTO_TEXT *text = mem_textf("%s%s", key, WEBSOCKET_GUID);
    uint8_t digest[SHA_DIGEST_LENGTH];
    SHA1((const unsigned char *) text, strlen(text), digest);
    char *encoded = mem_zalloc(4 * ((sizeof digest + 2) / 3) + 1);
    EVP_EncodeBlock((unsigned char *) encoded, digest, sizeof digest);
    return encoded;
}
