#include "main/backup_set.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "main/options.h"

enum { SUM_BYTES = BACKUP_SUM_HEX / 2, READ_BYTES = 256 << 10, CONTENTS_MAX = 1 << 30,
    STAMP_N = 16 };

typedef unsigned long long ull;

/* --- sums --- */

static void
to_hex(const unsigned char *sum, char hex[static BACKUP_SUM_HEX + 1])
{
	sodium_bin2hex(hex, BACKUP_SUM_HEX + 1, sum, SUM_BYTES);
}

int
backup_sum(const char *path, struct backup_file *ret)
{
	static _Thread_local unsigned char bytes[READ_BYTES];
	crypto_generichash_state           state;
	unsigned char                      sum[SUM_BYTES];
	int                                fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t                            n;

	if (fd < 0)
		return errno == ENOENT ? E_NOT_FOUND : error_from_errno(errno);
	crypto_generichash_init(&state, NULL, 0, sizeof(sum));
	ret->size = 0;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		crypto_generichash_update(&state, bytes, (size_t)n);
		ret->size += (uint64_t)n;
	}
	close(fd);
	if (n < 0)
		return E_IO;
	crypto_generichash_final(&state, sum, sizeof(sum));
	to_hex(sum, ret->sum);
	return 0;
}

static void
sum_of(struct str text, char hex[static BACKUP_SUM_HEX + 1])
{
	unsigned char sum[SUM_BYTES];

	crypto_generichash(sum, sizeof(sum), (const unsigned char *)text.p, text.n, NULL, 0);
	to_hex(sum, hex);
}

/* --- the list of contents --- */

int
backup_contents_add(struct backup_contents *c, struct arena *a, const struct backup_file *file)
{
	if (c->n == c->cap) {
		size_t cap = c->cap != 0 ? c->cap * 2 : 256;

		c->files = arena_grow(a, c->files, c->n * sizeof(*file), cap * sizeof(*file));
		if (c->files == NULL)
			return E_NOMEM;
		c->cap = cap;
	}
	c->files[c->n++] = *file;
	return 0;
}

static int
write_whole(const char *path, struct str text)
{
	int     fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n = fd >= 0 ? write(fd, text.p, text.n) : -1;
	int     r = n == (ssize_t)text.n && fsync(fd) == 0 ? EXIT_OK : EXIT_FAILED;

	if (fd >= 0 && close(fd) != 0)
		r = EXIT_FAILED;
	if (r != EXIT_OK)
		tell("cannot write %s: %s", path, strerrordesc_np(errno));
	return r;
}

int
backup_contents_write(const char *backup, const struct backup_contents *c)
{
	OWN_BUF struct buf     text = BUF_INIT(CONTENTS_MAX);
	OWN_ARENA struct arena a = ARENA_INIT(1 << 16);
	char                   hex[BACKUP_SUM_HEX + 1];

	buf_printf(&text, "# postrider-backup 1\n# copied %llu\n", (ull)c->copied);
	for (size_t i = 0; i < c->n; i++)
		buf_printf(&text, "%s %llu %s\n", c->files[i].sum, (ull)c->files[i].size,
		    c->files[i].path);
	sum_of(buf_view(&text), hex);
	buf_printf(&text, "# sum %s\n", hex);
	if (text.err < 0)
		return EXIT_FAILED;
	return write_whole(arena_printf(&a, "%s/contents", backup), buf_view(&text));
}

static int
read_text(const char *path, struct arena *a, struct str *ret)
{
	struct stat st;
	FILE       *f = fopen(path, "re");
	char       *p;
	size_t      n = 0;

	if (f == NULL)
		return E_NOT_FOUND;
	if (fstat(fileno(f), &st) != 0 || st.st_size > CONTENTS_MAX ||
	    (p = arena_alloc(a, (size_t)st.st_size + 1)) == NULL) {
		fclose(f);
		return E_NOMEM;
	}
	n = fread(p, 1, (size_t)st.st_size, f);
	fclose(f);
	*ret = str_of(p, n);
	return 0;
}

/* A path that leads out of the backup is damage. */
static int
read_line(struct str line, struct arena *a, struct backup_contents *c)
{
	struct backup_file file = { 0 };
	struct str         sum, size;

	if (str_starts(line, STR("# copied ")))
		return str_to_u64(str_skip(line, 9), &c->copied);
	if (str_starts(line, STR("# ")))
		return 0;
	sum = str_cut(&line, ' ');
	size = str_cut(&line, ' ');
	if (sum.n != BACKUP_SUM_HEX || str_to_u64(size, &file.size) < 0 || line.n == 0 ||
	    line.p[0] == '/' || str_find(line, STR("..")) < line.n)
		return E_CORRUPT;
	memcpy(file.sum, sum.p, sum.n);
	file.path = arena_cstr(a, line);
	return file.path != NULL ? backup_contents_add(c, a, &file) : E_NOMEM;
}

int
backup_contents_read(const char *backup, struct arena *a, struct backup_contents *ret)
{
	struct backup_contents c = { 0 };
	struct str             text, last;
	char                   hex[BACKUP_SUM_HEX + 1];
	size_t                 at;
	int                    r = read_text(arena_printf(a, "%s/contents", backup), a, &text);

	if (r == 0) {
		at = text.n;
		while (at > 0 && !str_starts(str_skip(text, at), STR("# sum ")))
			at--;
		last = str_trim(str_skip(text, at + 6));
		sum_of(str_head(text, at), hex);
		r = str_eq(last, str_c(hex)) ? 0 : E_CORRUPT;
		text = str_head(text, at);
	}
	while (r == 0 && text.n > 0)
		r = read_line(str_cut(&text, '\n'), a, &c);
	if (r < 0) {
		tell("%s: the list of contents is %s", backup, r == E_NOT_FOUND ? "missing" :
		    "damaged");
		return EXIT_FAILED;
	}
	*ret = c;
	return EXIT_OK;
}

int
backup_verify_sums(const char *backup, const struct backup_contents *c, size_t *ret)
{
	size_t faults = 0;

	for (size_t i = 0; i < c->n; i++) {
		OWN_ARENA struct arena a = ARENA_INIT(1 << 16);
		struct backup_file     is = { 0 };
		const char            *path = arena_printf(&a, "%s/%s", backup, c->files[i].path);
		int                    r = path != NULL ? backup_sum(path, &is) : E_NOMEM;

		if (r == 0 && is.size == c->files[i].size && strcmp(is.sum, c->files[i].sum) == 0)
			continue;
		faults++;
		tell("%s: %s", path, r == E_NOT_FOUND ? "is missing"
		    : r < 0 ? error_row(r)->text : "is damaged: its sum is another");
	}
	*ret = faults;
	return EXIT_OK;
}

/* --- the set --- */

static bool
is_stamp(const char *name)
{
	return strlen(name) >= STAMP_N && name[8] == 'T' && name[15] == 'Z' &&
	    name[0] >= '0' && name[0] <= '9';
}

static int
by_name(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

int
backup_stamps(const char *path, struct arena *a, struct backup_stamps *ret)
{
	struct backup_stamps list = { 0 };
	DIR                 *dir = opendir(path);
	struct dirent       *entry;

	if (dir == NULL) {
		tell("cannot read the folder %s: %s", path, strerrordesc_np(errno));
		return EXIT_FAILED;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (!is_stamp(entry->d_name))
			continue;
		list.s = arena_grow(a, list.s, list.n * sizeof(char *),
		    (list.n + 1) * sizeof(char *));
		if (list.s == NULL || (list.s[list.n++] = arena_cstr(a,
		    str_c(entry->d_name))) == NULL) {
			closedir(dir);
			return EXIT_FAILED;
		}
	}
	closedir(dir);
	if (list.n > 0)
		qsort(list.s, list.n, sizeof(char *), by_name);
	*ret = list;
	return EXIT_OK;
}

int
backup_find(const char *path, struct arena *a, const char **ret)
{
	const char          *contents = arena_printf(a, "%s/contents", path);
	struct backup_stamps list;

	if (contents != NULL && access(contents, F_OK) == 0) {
		*ret = path;
		return EXIT_OK;
	}
	if (backup_stamps(path, a, &list) != EXIT_OK)
		return EXIT_FAILED;
	if (list.n == 0) {
		tell("there is no backup in %s", path);
		return EXIT_FAILED;
	}
	*ret = arena_printf(a, "%s/%s", path, list.s[list.n - 1]);
	return *ret != NULL ? EXIT_OK : EXIT_FAILED;
}
