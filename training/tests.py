"""What the pipeline promises: `python -m unittest tests` in training/; a minute on one core."""

import json
import random
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

import export
import run as runs
from attention import blocked
from evaluate import SIZES, check_no_overlap, check_tokenizer, prompt_of, written
from forms import word_forms
from generate import ADAPTED, NEWER, held_out, sample
from generate.item import draw_scene, one_of, sha, side_of
from generate.lumo import LUMO
from keys import halved
from merging import kept_tokens, merge
from optimizer import orthogonalise
from pictures import PICTURES, draw_fitting
from rows import IGNORED, Rows, answer_weights, visible
from scenes import centre, invent, render
from tokenizer import train_tokenizer
from tower import patch_classes

SETTINGS = {
    'tokenizer': 'tokenizer', 'sees': False, 'seed': 1, 'warmup': 1, 'rows': {'text': {'size': 1, 'length': 64, 'share': 1}},
    'matrix_lr': 0.001, 'other_lr': 0.001, 'mean_decay': 0.9, 'echo': 0, 'mix': {'talk': 1}, 'log_every': 1, 'save_every': 1,
}


class Sides(unittest.TestCase):
    def test_a_prompt_is_on_one_side(self):
        for skill in (*SIZES, *ADAPTED, *NEWER):
            for side in ('train', 'eval'):
                self.assertEqual(sample(skill, random.Random(3), side).side(), side)

    def test_overlap_is_refused(self):
        item = sample('talk', random.Random(99))
        with self.assertRaisesRegex(SystemExit, 'talk: a held-out prompt is also a training prompt'):
            check_no_overlap([written(item, 0)], 'talk', draws=50)

    def test_held_out_items_pass(self):
        check_no_overlap([written(item, 0) for item in held_out('follow', 20, 7)], 'follow', draws=500)

    def test_scenes_of_training_are_not_held_out(self):
        rng = random.Random(5)
        self.assertEqual({side_of(sha(repr(draw_scene(rng)))) for _ in range(50)}, {'train'})


    def test_scenes_of_sets_are_held_out_and_fit(self):
        for wanted in PICTURES.values():
            number = wanted.things[0]
            scene = draw_fitting(random.Random(6), wanted, number)
            self.assertEqual(side_of(sha(repr(scene))), 'eval')
            self.assertTrue(wanted.fits(scene) and number in (None, len(scene.things)))


class Tasks(unittest.TestCase):
    def test_weights_of_settings_go_first(self):
        first, second = (lambda rng: 1), (lambda rng: 2)
        first.__name__, second.__name__ = 'first', 'second'
        self.assertIs(one_of({first: 1, second: 0}, random.Random(1)), first)
        self.assertIs(one_of({first: 1, second: 0}, random.Random(1), {'first': 0, 'second': 1}), second)

    def test_no_two_words_are_one_in_lumo(self):
        self.assertEqual(len(set(LUMO.values())), len(LUMO))


class Pictures(unittest.TestCase):
    def test_every_thing_is_seen(self):
        rng = random.Random(2)
        for _ in range(30):
            scene = invent(rng)
            _, owner = render(scene)
            self.assertEqual(set(np.unique(owner)) - {-1}, set(range(len(scene.things))))

    def test_a_picture_is_the_same_every_time(self):
        scene = invent(random.Random(4))
        self.assertEqual(render(scene)[0].tobytes(), render(scene)[0].tobytes())

    def test_there_is_one_middle_for_each_thing(self):
        rng = random.Random(8)
        for _ in range(30):
            scene = invent(rng)
            roles = patch_classes(scene, render(scene)[1])[-1]
            self.assertEqual((roles == 1).sum(), len(scene.things))
            self.assertEqual((roles == 2).sum(), 16 * (9 - len(scene.things)) - outside(scene))


def outside(scene):
    """Middles never leave their cell, so none of them takes a patch of an empty cell."""
    cells = {(centre(thing)[1] // 32) * 3 + centre(thing)[0] // 32 for thing in scene.things}
    return 0 if cells == {thing.cell for thing in scene.things} else 1


class Arithmetic(unittest.TestCase):
    def test_blocked_attention_is_attention(self):
        for causal, length in ((True, 150), (False, 90)):
            module = type('Module', (), {'is_causal': causal})
            query, key, value = (torch.randn(2, heads, length, 16) for heads in (6, 2, 2))
            wide = lambda x: x.repeat_interleave(3, 1)
            expected = torch.nn.functional.scaled_dot_product_attention(query, wide(key), wide(value), is_causal=causal)
            made, _ = blocked(module, query, key, value, None, 16**-0.5)
            torch.testing.assert_close(made.transpose(1, 2), expected)

    def test_blocked_attention_keeps_to_its_mask(self):
        module = type('Module', (), {'is_causal': True})
        query, key, value = (torch.randn(2, heads, 90, 16) for heads in (6, 2, 2))
        seen = visible(torch.tensor([[0] * 20 + [1] * 50 + [2] * 20, [0] * 90]))
        wide = lambda x: x.repeat_interleave(3, 1)
        expected = torch.nn.functional.scaled_dot_product_attention(query, wide(key), wide(value), attn_mask=seen)
        made, _ = blocked(module, query, key, value, seen, 16**-0.5)
        torch.testing.assert_close(made.transpose(1, 2), expected)

    def test_parts_see_the_first_and_themselves(self):
        seen = visible(torch.tensor([[0, 1, 1, 2, 2]]))[0, 0].int().tolist()
        self.assertEqual(seen, [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 0, 0, 1, 0], [1, 0, 0, 1, 1]])

    def test_updates_are_nearly_orthogonal(self):
        singular = torch.linalg.svdvals(orthogonalise(torch.randn(1, 24, 40)).float()[0])
        self.assertTrue(0.6 < singular.min() and singular.max() < 1.3, singular)

    def test_an_answer_weighs_the_root_of_its_length(self):
        labels = torch.tensor([[IGNORED, 5, IGNORED, 1, 2, 3, 4, IGNORED], [7, 7, 7, 7, IGNORED, IGNORED, 1, 1]])
        sums = [[0, 1, 0, 0.5, 0.5, 0.5, 0.5, 0], [0.5, 0.5, 0.5, 0.5, 0, 0, 0.5**0.5, 0.5**0.5]]
        torch.testing.assert_close(answer_weights(labels), torch.tensor(sums))


class Merging(unittest.TestCase):
    def test_tokens_are_those_of_the_product(self):
        fixture = json.loads((Path(__file__).parent.parent / 'test' / 'fixtures' / 'merging.json').read_text())
        features, metric = (torch.tensor(fixture[name]) for name in ('features', 'metric'))
        for keep, merged in fixture['merged'].items():
            made = merge(features, metric, kept_tokens(features.size(1), float(keep)))
            torch.testing.assert_close(made, torch.tensor(merged), rtol=0, atol=1e-5)

    def test_halves_of_the_fit_are_merged_halves(self):
        rows, metric = torch.randn(2, 12, 3), torch.randn(2, 12, 4, requires_grad=True)
        made, keys = halved(*halved(rows, metric))
        torch.testing.assert_close(made, merge(rows, metric, 3))
        made.square().sum().backward()
        self.assertGreater(metric.grad.abs().sum(), 0)


class Folders(unittest.TestCase):
    """A tokenizer of few texts and runs in a folder of their own."""

    @classmethod
    def setUpClass(cls):
        cls.home, cls.before = Path(tempfile.mkdtemp()), runs.HERE
        runs.HERE = cls.home
        train_tokenizer(200).save_pretrained(cls.home / 'tokenizer')

    @classmethod
    def tearDownClass(cls):
        runs.HERE = cls.before
        shutil.rmtree(cls.home)

    def test_a_run_goes_on_and_refuses_other_settings(self):
        run = runs.Run('r', SETTINGS)
        run.begin()
        run.step = 3
        run.save()
        again = runs.Run('r', SETTINGS)
        again.begin()
        self.assertEqual(again.step, 3)
        with self.assertRaisesRegex(SystemExit, 'was made with other settings'):
            runs.Run('r', SETTINGS | {'seed': 2}).begin()

    def test_an_unknown_skill_is_named(self):
        (self.home / 'settings').mkdir(exist_ok=True)
        (self.home / 'settings' / 'odd.json').write_text(json.dumps(SETTINGS | {'mix': {'sing': 1}}))
        with self.assertRaisesRegex(SystemExit, "odd.json: unknown skills \\['sing'\\] in mix: expected some of"):
            runs.read_settings('odd')

    def test_tasks_apart_begin_anew(self):
        tokenizer = runs.Run('apart', SETTINGS).tokenizer
        ids, labels, weights, pictures, seen = Rows(tokenizer, SETTINGS | {'apart': 1}, 1).batches()['text']
        self.assertEqual((ids.shape, labels.shape, weights.shape, pictures, seen.shape),
                         ((1, 64), (1, 64), (1, 64), None, (1, 1, 64, 64)))
        self.assertLess(seen.sum(), torch.ones(64, 64).tril().sum())

    def test_merged_pictures_have_fewer_places(self):
        tokenizer = runs.Run('merged', SETTINGS).tokenizer
        rows = Rows(tokenizer, SETTINGS | {'rows': {'look': {'size': 2, 'length': 64}}, 'merged': 1, 'keeps': [0.17]}, 1)
        places = rows.batches()['look'][0] == tokenizer.convert_tokens_to_ids('<image>')
        self.assertEqual(places.sum(1).tolist(), [25, 25])

    def test_a_large_file_is_refused(self):
        folder = self.home / 'large'
        shutil.copytree(self.before.parent / 'models' / 'nano', folder, ignore=shutil.ignore_patterns('eval'))
        export.stamp(folder, {'step': 1, 'tokens': 2})
        limit, export.LIMIT_BYTES = export.LIMIT_BYTES, 1_000_000
        try:
            with self.assertRaisesRegex(SystemExit, 'bytes: more than 1000000'):
                export.stamp(folder, {'step': 1, 'tokens': 2})
        finally:
            export.LIMIT_BYTES = limit

    def test_words_have_forms(self):
        tokenizer = runs.Run('forms', SETTINGS).tokenizer
        forms = word_forms(tokenizer)['fox']
        self.assertEqual({tokenizer.decode([i]) for i in forms.values()}, {'fox', ' fox', 'FOX', ' FOX'})

    def test_a_foreign_tokenizer_is_refused(self):
        nano = self.before.parent / 'models' / 'nano'
        folder = self.home / 'foreign'
        shutil.copytree(nano, folder, ignore=shutil.ignore_patterns('eval'))
        check_tokenizer(folder)
        with open(folder / 'tokenizer.json', 'a') as file:
            file.write('\n')
        with self.assertRaisesRegex(SystemExit, 'trained with tokenizer'):
            check_tokenizer(folder)


if __name__ == '__main__':
    unittest.main()
