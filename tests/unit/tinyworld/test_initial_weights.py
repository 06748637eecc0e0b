import torch

from csae_bench.tinyworld import lm


def attention_weights(tokens):
    model = lm.new_model(1400, seed=0).eval()
    with torch.no_grad():
        return model(torch.tensor([tokens]), output_attentions=True).attentions


def test_the_first_heads_look_back_one_and_two_tokens():
    weights = attention_weights(list(range(50, 80)))[0][0]
    for head, distance in ((0, 1), (1, 2)):
        assert weights[head, 20].argmax() == 20 - distance


def test_matching_heads_find_an_earlier_equal_token():
    tokens = list(range(50, 80))
    tokens[8] = tokens[25] = 99
    weights = attention_weights(tokens)[1][0]
    for head in range(4):
        assert set(weights[head, 25].topk(2).indices.tolist()) == {8, 25}
