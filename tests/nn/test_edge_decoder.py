import numpy as np
import pytest
import torch

from graphrouter.nn import EdgeDecoder, EdgeInputs
from graphrouter.nn.edge_decoder import TERMS, DecoderSizes
from graphrouter.nn.edge_head import GATE, LOGIT_PER_RESIDUAL, OUTPUT_COST_RANGE, PRIOR_RANGE, SMALLEST_OUTPUT_COST
from graphrouter.nn.messages import RELATIONS

E, B, M, H, D, T, W = 3, 7, 5, 2, 6, 4, 8


def decoder(trained=True, **settings):
    """A decoder in evaluation mode; where it counts as trained, all its weights are random."""
    sizes = {"inputs": D, "llms": M, "tasks": T, "channels": H, "members": E, "rank": 2, "hidden": 8, "history": W}
    sizes |= {"dropout": 0.5, "relations": list(RELATIONS), "terms": list(TERMS), "llm_features": ["learned"]}
    torch.manual_seed(0)
    module = EdgeDecoder(DecoderSizes(**{**sizes, **settings}))
    if trained:
        torch.manual_seed(1)
        for weight in module.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    return module.eval()


@pytest.fixture
def batch():
    random = torch.Generator().manual_seed(2)

    def uniform(*shape):
        return torch.rand(shape, generator=random)

    return EdgeInputs(
        x=uniform(B, D) - 0.5,
        task=torch.tensor([0, 1, 2, 3, 4, 4, 0]),
        fold=torch.tensor([0, 1, 0, 1, 1, 0, 0]),
        prior=uniform(B, M),
        residual=0.4 * uniform(B, H, M) - 0.2,
        cost_prior=0.5 + uniform(B, M),
        cost_residual=uniform(B, H, M) - 0.5,
    )


@pytest.fixture
def history():
    return torch.randn((2, M, W), generator=torch.Generator().manual_seed(3))


def logits_of(module, batch, history):
    with torch.no_grad():
        return module(batch, history)[0]


def copy_of(module, **settings):
    other = decoder(trained=False, **settings)
    other.load_state_dict(module.state_dict())
    return other


def test_untrained_it_predicts_the_shrunk_messages(batch, history):
    logits, _ = decoder(trained=False)(batch, history)
    residual = LOGIT_PER_RESIDUAL * batch.residual
    common = residual.mean(dim=2, keepdim=True)
    told = (GATE * (residual - common) + GATE * common).mean(dim=1)
    expected = torch.logit(batch.prior.clamp(*PRIOR_RANGE)) + told
    torch.testing.assert_close(logits, expected.expand(E, B, M))


def test_untrained_with_no_neighbours_it_predicts_the_prior(batch, history):
    logits, _ = decoder(trained=False)(batch._replace(residual=torch.zeros(B, H, M)), history)
    torch.testing.assert_close(torch.sigmoid(logits), batch.prior.clamp(*PRIOR_RANGE).expand(E, B, M))


def test_a_prior_of_zero_or_one_is_not_taken_at_its_word(batch, history):
    certain = batch._replace(prior=(batch.prior > 0.5).float())
    for module in (decoder(trained=False), decoder()):
        assert torch.isfinite(logits_of(module, certain, history)).all()


def test_untrained_the_output_cost_is_that_of_the_messages(batch, history):
    _, log_output_cost = decoder(trained=False)(batch, history)
    told = batch.cost_prior + GATE * batch.cost_residual.mean(dim=1)
    torch.testing.assert_close(log_output_cost.exp(), told, rtol=0.01, atol=0)
    _, alone = decoder(trained=False)(batch._replace(cost_residual=torch.zeros(B, H, M)), history)
    torch.testing.assert_close(alone.exp(), batch.cost_prior)


def test_an_output_cost_stays_within_reach_of_its_prior(batch, history):
    module = decoder()
    with torch.no_grad():
        module.head.amount_bias += torch.tensor([-50.0, 50, 0, 0, 0])
    for prior in (batch.cost_prior, torch.zeros(B, M)):
        log_output_cost = module(batch._replace(cost_prior=prior), history)[1]
        shift = log_output_cost - prior.clamp(min=SMALLEST_OUTPUT_COST).log()
        assert shift.abs().max() <= OUTPUT_COST_RANGE + 1e-5
        torch.testing.assert_close(shift[:, :2], torch.tensor([[-OUTPUT_COST_RANGE, OUTPUT_COST_RANGE]]).expand(B, 2))


def test_the_output_cost_is_told_by_neighbours_llm_and_query(batch, history):
    module = decoder()
    before = module(batch, history)[1]
    for changed in (
        batch._replace(cost_residual=batch.cost_residual + 0.1),
        batch._replace(x=batch.x + 0.1),
        batch._replace(cost_prior=batch.cost_prior + 0.1),
    ):
        assert (module(changed, history)[1] != before).all()
    with torch.no_grad():
        module.head.amount_bias[1] += 0.1
    assert ((module(batch, history)[1] != before) == (torch.arange(M) == 1)).all()


def test_the_logit_is_the_sum_of_the_terms(batch, history):
    whole = decoder()
    single = {term: logits_of(copy_of(whole, terms=(term,)), batch, history) for term in TERMS}
    assert all(values.abs().max() > 0.01 for values in single.values())
    torch.testing.assert_close(sum(single.values()), logits_of(whole, batch, history))
    for term in TERMS:
        rest = [other for other in TERMS if other != term]
        without = logits_of(copy_of(whole, terms=rest), batch, history)
        torch.testing.assert_close(without, logits_of(whole, batch, history) - single[term], atol=1e-5, rtol=1e-4)


def test_the_prior_term_scales_the_logit_of_the_prior_for_each_query(batch, history):
    logits = logits_of(decoder(terms=("prior",)), batch, history)
    scale = logits / torch.logit(batch.prior.clamp(*PRIOR_RANGE))
    torch.testing.assert_close(scale, scale[:, :, :1].expand(E, B, M), rtol=1e-3, atol=1e-4)
    assert (scale[:, :, 0].std(dim=1) > 0.01).all()


def test_the_neighbours_term_compares_llms_and_is_linear_in_the_contrast(batch, history):
    module = decoder(terms=("neighbours",))
    logits = logits_of(module, batch, history)
    torch.testing.assert_close(logits.sum(dim=2), torch.zeros(E, B), atol=1e-5, rtol=0)
    contrast = (batch.residual - batch.residual.mean(dim=2, keepdim=True)).numpy()
    for member in range(E):  # of each query, M logits from H gates
        solved = [np.linalg.lstsq(contrast[query].T, logits[member, query].numpy()) for query in range(B)]
        assert all(left < 1e-9 for _, left, *_ in solved)
        assert (np.std([gates for gates, *_ in solved], axis=0) > 0.01).all(), "each query has gates of its own"


def test_the_difficulty_term_is_one_number_for_each_query_times_the_discrimination(batch, history):
    module = decoder(terms=("difficulty",))
    difficulty = logits_of(module, batch, history) / module.head.discrimination.detach()
    torch.testing.assert_close(difficulty, difficulty[:, :, :1].expand(E, B, M), rtol=1e-3, atol=1e-4)
    more = batch._replace(residual=batch.residual + 0.1)  # all LLMs did better on the neighbours
    assert not torch.allclose(logits_of(module, more, history), logits_of(module, batch, history))


def test_the_bilinear_term_has_the_rank_of_the_states(batch, history):
    logits = logits_of(decoder(terms=("bilinear",)), batch._replace(fold=torch.zeros(B, dtype=torch.int64)), history)
    for member in logits:
        values = torch.linalg.svdvals(member)
        assert values[1] > 1e-3
        assert values[2] < 1e-5


def test_the_bilinear_term_reads_the_state_of_the_llm_itself(batch, history):
    module = decoder(terms=("bilinear",), relations=[])
    before = logits_of(module, batch, history)
    with torch.no_grad():
        module.llm[:, 1] += 1
    changed = logits_of(module, batch, history) != before
    assert changed[:, :, 1].all()
    assert changed.sum() == E * B


def test_a_query_sees_the_history_of_its_own_fold_only(batch, history):
    module = decoder()
    before = logits_of(module, batch, history)
    after = logits_of(module, batch, torch.stack([history[0], history[1] + 1]))
    second = batch.fold == 1
    assert torch.equal(after[:, ~second], before[:, ~second])
    assert (after[:, second] != before[:, second]).all()


def test_one_fold_is_as_several_equal_ones(batch, history):
    module, none = decoder(), torch.zeros(B, dtype=torch.int64)
    one = logits_of(module, batch._replace(fold=none), history[:1])
    torch.testing.assert_close(logits_of(module, batch, history[:1].repeat(2, 1, 1)), one)


def test_llm_states_reach_the_query_over_rev_answered_by_only(batch, history):
    for switch in (True, False):
        relations = [name for name in RELATIONS if switch or name != "rev_answered_by"]
        module = decoder(relations=relations, terms=("prior", "difficulty"))
        before = logits_of(module, batch, history)
        with torch.no_grad():
            module.llm += 1
            module.llm[:, 0] += 3  # what is added to all LLMs alike cancels out
        assert torch.equal(logits_of(module, batch, history), before) != switch


def test_the_state_of_the_task_reaches_its_own_queries_only(batch, history):
    module = decoder()
    before = logits_of(module, batch, history)
    with torch.no_grad():
        module.task[:, T] += 1  # of queries without a known task
    changed = (logits_of(module, batch, history) != before).any(dim=2).all(dim=0)
    assert changed.tolist() == (batch.task == T).tolist()


def test_members_are_independent(batch, history):
    module = decoder()
    before = logits_of(module, batch, history)
    own = [name for name, weight in module.named_parameters() if "amount" not in name]
    for name in own:
        weight = module.get_parameter(name)
        kept = weight.detach().clone()
        assert len(weight) == E, name
        with torch.no_grad():
            weight[1] += torch.randn_like(weight[1])
        after = logits_of(module, batch, history)
        assert torch.equal(after[[0, 2]], before[[0, 2]]), name
        assert not torch.allclose(after[1], before[1]), f"{name} has no part in the prediction"
        with torch.no_grad():
            weight.copy_(kept)


def test_one_query_does_not_depend_on_the_others(batch, history):
    module = decoder()
    logits, output_cost = module(batch, history)
    for query in range(B):
        alone, alone_cost = module(batch.take(slice(query, query + 1)), history)
        torch.testing.assert_close(alone[:, 0], logits[:, query])
        torch.testing.assert_close(alone_cost[0], output_cost[query])


def test_rows_are_taken_from_all_inputs(batch):
    for first, second in zip(batch.take(torch.tensor([2, 0])), batch, strict=True):
        assert torch.equal(first, second[[2, 0]])


def test_dropout_is_for_training_only_and_differs_between_members(batch, history):
    module = decoder()
    for weight in module.parameters():  # equal members
        if len(weight) == E:
            weight.data[:] = weight.data[:1].clone()
    assert torch.equal(*logits_of(module, batch, history)[:2])
    module.train()
    first, second = logits_of(module, batch, history)[:2]
    assert not torch.allclose(first, second)


def test_a_relation_that_is_not_asked_for_has_no_weights(batch, history):
    whole = dict(decoder().named_parameters())
    alone = decoder(relations=["belongs_to"], channels=0, history=0)
    assert set(whole) - set(dict(alone.named_parameters())) == {"from_history.weight", "from_history.bias"}
    assert alone.state.weight.shape == (E, 8, 8)
    assert whole["state.weight"].shape == (E, 8 + H * 3, 8)
    assert not alone.head.gate.numel()
    none = batch._replace(residual=batch.residual[:, :0], cost_residual=batch.cost_residual[:, :0])
    assert torch.isfinite(logits_of(alone, none, history[:, :, :0])).all()
