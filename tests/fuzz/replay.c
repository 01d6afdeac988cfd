/* SPDX-License-Identifier: Apache-2.0 */

/* Runs a fuzz target on every file of the directories named on the command
 * line: what a corpus is for in builds without a fuzzer.  Fails if there is
 * not one file, so that a misspelt directory is noticed.
 *
 * The input of each run is copied to memory of exactly its size, so that
 * reading past it is caught by the address sanitizer. */

#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

static bool
replay_file(const char *path)
{
    struct stat st;
    FILE *stream = fopen(path, "rb");

    if (!stream || fstat(fileno(stream), &st)) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    if (!S_ISREG(st.st_mode)) {
        fclose(stream);
        return false;
    }

    size_t size = st.st_size;
    uint8_t *data = size ? mem_alloc(size) : NULL;
    if (size && fread(data, 1, size, stream) != size) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    fclose(stream);

    /* A target that crashes leaves the name of the input behind. */
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return true;
}

static int
replay_directory(const char *directory)
{
    DIR *dir = opendir(directory);
    int n = 0;

    if (!dir) {
        perror(directory);
        exit(EXIT_FAILURE);
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        AUTO_TEXT *path = mem_textf("%s/%s", directory, entry->d_name);
        n += replay_file(path);
    }
    closedir(dir);
    return n;
}

int
main(int argc, char *argv[])
{
    int n = 0;

    for (int i = 1; i < argc; i++) {
        n += replay_directory(argv[i]);
    }
    if (!n) {
        fprintf(stderr, "%s: there are no inputs\n", argv[0]);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
