/* A PCM for ALSA that is as unruly as its configuration says:
 *
 *   error N      it does not open, and what is open fails: -N, an errno of the system's
 *   while FILE   ... but only while there is this file
 *   format F     all that it knows, S16_LE by default
 *   rate R       the same, 48000 by default
 *   channels C   the same, 1 by default
 *
 * It gives a tone of 500 Hz and takes whatever it is given, at its rate. */

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <math.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TONE 500.0

struct unruly {
	snd_pcm_ioplug_t io;
	char *file;
	long error;
	int running;
	/* Frames that went through the device, and those that were read or written. */
	uint64_t done, moved;
	/* When that was counted last, in nanoseconds. */
	uint64_t counted;
};

static int trouble(const struct unruly *self)
{
	return self->file && access(self->file, F_OK) != 0 ? 0 : -(int)self->error;
}

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * UINT64_C(1000000000) + time.tv_nsec;
}

static int start(snd_pcm_ioplug_t *io)
{
	struct unruly *self = io->private_data;
	self->running = 1;
	self->counted = now();
	return trouble(self);
}

static int stop(snd_pcm_ioplug_t *io)
{
	((struct unruly *)io->private_data)->running = 0;
	return 0;
}

static int prepare(snd_pcm_ioplug_t *io)
{
	struct unruly *self = io->private_data;
	/* Looks every other millisecond whether there is something to do. */
	const struct itimerspec often = { { 0, 2000000 }, { 0, 2000000 } };
	self->running = 0;
	self->done = self->moved = 0;
	timerfd_settime(io->poll_fd, 0, &often, NULL);
	return 0;
}

static snd_pcm_sframes_t pointer(snd_pcm_ioplug_t *io)
{
	struct unruly *self = io->private_data;
	uint64_t most, frames = (now() - self->counted) * io->rate / 1000000000;
	if (!self->running)
		return self->done % io->buffer_size;
	self->counted += frames * 1000000000 / io->rate;
	/* A whole buffer at once would look like nothing at all. */
	most = io->buffer_size - 1;
	if (io->stream == SND_PCM_STREAM_CAPTURE)
		most -= self->done - self->moved;
	else if (most > self->moved - self->done)
		most = self->moved - self->done;
	self->done += frames < most ? frames : most;
	return self->done % io->buffer_size;
}

static snd_pcm_sframes_t transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
				  snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
	struct unruly *self = io->private_data;
	int error = trouble(self);
	if (error)
		return error;
	for (snd_pcm_uframes_t n = 0; io->stream == SND_PCM_STREAM_CAPTURE && n < size; n++) {
		int16_t *sample = (int16_t *)((char *)areas->addr + (areas->first + areas->step * (offset + n)) / 8);
		*sample = 8192 * sin(2 * M_PI * TONE * (self->moved + n) / io->rate);
	}
	self->moved += size;
	return size;
}

static int poll_revents(snd_pcm_ioplug_t *io, struct pollfd *pfd, unsigned int count, unsigned short *revents)
{
	uint64_t ticks;
	(void)pfd;
	(void)count;
	*revents = 0;
	if (read(io->poll_fd, &ticks, sizeof ticks) == sizeof ticks)
		*revents = io->stream == SND_PCM_STREAM_CAPTURE ? POLLIN : POLLOUT;
	return 0;
}

static int close_it(snd_pcm_ioplug_t *io)
{
	struct unruly *self = io->private_data;
	close(io->poll_fd);
	free(self->file);
	free(self);
	return 0;
}

static const snd_pcm_ioplug_callback_t CALLBACKS = {
	.start = start,
	.stop = stop,
	.pointer = pointer,
	.transfer = transfer,
	.close = close_it,
	.prepare = prepare,
	.poll_revents = poll_revents,
};

static int restrict_to(snd_pcm_ioplug_t *io, unsigned int format, unsigned int rate, unsigned int channels)
{
	const unsigned int access = SND_PCM_ACCESS_RW_INTERLEAVED;
	int error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 1, &access);
	if (error >= 0)
		error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, &format);
	if (error >= 0)
		error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, rate, rate);
	if (error >= 0)
		error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, channels, channels);
	if (error >= 0)
		error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 64, 65536);
	if (error >= 0)
		error = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_BUFFER_BYTES, 128, 262144);
	return error;
}

SND_PCM_PLUGIN_DEFINE_FUNC(unruly)
{
	const char *file = NULL, *format = "S16_LE";
	long error = 0, rate = 48000, channels = 1;
	snd_config_iterator_t at, next;
	struct unruly *self;
	int result;
	(void)root;

	snd_config_for_each(at, next, conf) {
		snd_config_t *entry = snd_config_iterator_entry(at);
		const char *key;
		if (snd_config_get_id(entry, &key) < 0 || !strcmp(key, "comment") || !strcmp(key, "type")
		    || !strcmp(key, "hint"))
			continue;
		if (!strcmp(key, "error"))
			result = snd_config_get_integer(entry, &error);
		else if (!strcmp(key, "while"))
			result = snd_config_get_string(entry, &file);
		else if (!strcmp(key, "format"))
			result = snd_config_get_string(entry, &format);
		else if (!strcmp(key, "rate"))
			result = snd_config_get_integer(entry, &rate);
		else if (!strcmp(key, "channels"))
			result = snd_config_get_integer(entry, &channels);
		else
			result = -EINVAL;
		if (result < 0) {
			SNDERR("unruly: %s", key);
			return result;
		}
	}
	self = calloc(1, sizeof *self);
	if (!self)
		return -ENOMEM;
	self->error = error;
	self->file = file ? strdup(file) : NULL;
	result = trouble(self);
	if (result < 0) {
		free(self->file);
		free(self);
		return result;
	}
	self->io.version = SND_PCM_IOPLUG_VERSION;
	self->io.name = "unruly";
	self->io.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	self->io.poll_events = POLLIN;
	self->io.callback = &CALLBACKS;
	self->io.private_data = self;
	result = snd_pcm_ioplug_create(&self->io, name, stream, mode);
	if (result < 0) {
		close_it(&self->io);
		return result;
	}
	result = restrict_to(&self->io, snd_pcm_format_value(format), rate, channels);
	if (result < 0) {
		/* That closes it. */
		snd_pcm_ioplug_delete(&self->io);
		return result;
	}
	*pcmp = self->io.pcm;
	return 0;
}

SND_PCM_PLUGIN_SYMBOL(unruly);
