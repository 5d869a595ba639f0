/* FFmpeg's headers for Swift, and functions for the macros that Swift cannot see. */
#ifndef CFFMPEG_H
#define CFFMPEG_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/dict.h>
#include <libavutil/error.h>
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libavutil/parseutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

/** No more pictures, or no more packets. */
static inline int cffmpeg_end_of_file(void) { return AVERROR_EOF; }

/** The codec wants more input before it gives output, or the other way round. */
static inline int cffmpeg_try_again(void) { return AVERROR(EAGAIN); }

/** A time that is not known. */
static inline int64_t cffmpeg_no_time(void) { return AV_NOPTS_VALUE; }

/** Converts a whole picture to RGB pixels, whose rows are `stride` bytes apart. Returns how many
 * rows it has converted. */
static inline int cffmpeg_scale_to_rgb(struct SwsContext *context, const AVFrame *picture,
                                       uint8_t *pixels, int stride) {
  uint8_t *const planes[4] = {pixels};
  const int strides[4] = {stride};
  return sws_scale(context, (const uint8_t *const *)picture->data, picture->linesize, 0,
                   picture->height, planes, strides);
}

/** Converts RGB pixels to a whole picture, the other way round. */
static inline int cffmpeg_scale_from_rgb(struct SwsContext *context, const uint8_t *pixels,
                                         int stride, AVFrame *picture) {
  const uint8_t *const planes[4] = {pixels};
  const int strides[4] = {stride};
  return sws_scale(context, planes, strides, 0, picture->height, picture->data, picture->linesize);
}

#endif
