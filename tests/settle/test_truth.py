"""Tells `truth.py` screens whose story is known. Part of `tests/settle/run --quick`."""

import io
import unittest

import numpy
import PIL.Image

import truth
from framebuffer import Change, Recording

SHAPE = (64, 96)


def screen(colour=0):
    return numpy.full(SHAPE, colour, numpy.uint32)


def square(colour):
    return numpy.full((10, 10), colour, numpy.uint32)


def recording(*changes, end=5.0):
    return Recording(screen(), 0.0, end, [Change(time, x, y, square(colour)) for time, x, y, colour in changes])


def picture(*squares):
    shown = screen()
    for x, y, colour in squares:
        shown[y : y + 10, x : x + 10] = colour
    return truth.prints(shown)


class TruthTest(unittest.TestCase):
    def test_the_last_of_two_steps_is_right(self):
        told = truth.Truth(recording((0.1, 0, 0, 7), (0.5, 32, 0, 8)))
        self.assertTrue(told.changed and told.steady)
        self.assertEqual(told.done, 0.5)
        self.assertTrue(told.is_right(picture((0, 0, 7), (32, 0, 8))))
        self.assertFalse(told.is_right(picture((0, 0, 7))), "half of it")
        self.assertFalse(told.is_right(picture()), "nothing of it")

    def test_nothing_happened(self):
        told = truth.Truth(recording())
        self.assertFalse(told.changed)
        self.assertTrue(told.steady)
        self.assertEqual(told.done, 0.0)
        self.assertTrue(told.is_right(picture()))

    def test_both_states_of_a_caret_are_right_and_do_not_delay_the_end(self):
        blinks = [(1.0 + 0.5 * turn, 48, 32, turn % 2) for turn in range(8)]
        told = truth.Truth(recording((0.1, 0, 0, 7), *blinks))
        self.assertEqual(told.done, 0.1)
        self.assertTrue(told.is_right(picture((0, 0, 7))))
        self.assertTrue(told.is_right(picture((0, 0, 7), (48, 32, 1))))
        self.assertFalse(told.is_right(picture((48, 32, 1))))

    def test_a_late_step_is_no_caret(self):
        told = truth.Truth(recording((0.1, 0, 0, 7), (4.5, 32, 0, 8)))
        self.assertEqual(told.done, 4.5)
        self.assertFalse(told.steady, "it may go on")
        self.assertFalse(told.is_right(picture((0, 0, 7))))

    def test_a_step_that_is_taken_back_leaves_the_end_right(self):
        told = truth.Truth(recording((0.1, 0, 0, 7), (0.5, 0, 0, 0)))
        self.assertFalse(told.changed)
        told = truth.Truth(recording((0.1, 0, 0, 7), (0.5, 0, 0, 9), (0.7, 0, 0, 7)))
        self.assertEqual(told.done, 0.7)

    def test_an_ignored_rectangle_does_not_count(self):
        clock = [(1.0 + turn, 80, 0, turn) for turn in range(4)]
        told = truth.Truth(recording((0.1, 0, 0, 7), *clock), ignored=[(80, 0, 96, 16)])
        self.assertEqual(told.done, 0.1)
        self.assertTrue(told.is_right(picture((0, 0, 7), (80, 0, 99))))
        self.assertFalse(truth.Truth(recording((0.1, 0, 0, 7), *clock)).is_right(picture((0, 0, 7), (80, 0, 99))))

    def test_a_picture_has_the_pixels_of_the_framebuffer(self):
        wanted = (numpy.arange(SHAPE[0] * SHAPE[1], dtype=numpy.uint32) * 2654435) & 0xFFFFFF
        wanted = wanted.reshape(SHAPE)
        colours = numpy.stack([wanted >> 16, wanted >> 8 & 255, wanted & 255], axis=2).astype(numpy.uint8)
        file = io.BytesIO()
        PIL.Image.fromarray(colours).save(file, "PNG")
        self.assertTrue((truth.pixels_of(file.getvalue()) == wanted).all())


if __name__ == "__main__":
    unittest.main()
