"""emcee's stretch move with the walkers of a half ensemble accepted at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from emcee import State
from emcee.moves import StretchMove
from numpy.typing import NDArray


class WholeArrayStretch(StretchMove):
    """The stretch move, step for step and number for number, without a loop over the walkers.

    emcee judges proposals one by one, which costs more than a density of whole arrays.

    References
    ----------
    Goodman and Weare, Ensemble samplers with affine invariance (2010); Foreman-Mackey et al.,
    emcee: the MCMC hammer (2013), algorithm 3.
    """

    def propose(self, model: Any, state: State) -> tuple[State, NDArray[np.bool_]]:
        """Move one half of the walkers after the other.

        Parameters
        ----------
        model
            emcee's model: a vectorised log density and a random state.
        state
            Positions of an even number of walkers, at least twice their dimensions, and their
            finite log densities.

        Returns
        -------
        tuple
            The new state; for each walker, whether it moved.
        """
        walkers = len(state.coords)
        accepted = np.zeros(walkers, dtype=bool)
        half = np.arange(walkers) % 2
        model.random.shuffle(half)
        for side in (0, 1):
            movers = half == side
            proposed, factors = self.get_proposal(
                state.coords[movers], [state.coords[~movers]], model.random
            )
            density = model.log_prob_fn(proposed)
            gain = factors + density - state.log_prob[movers]
            accepted[movers] = gain > np.log(model.random.rand(len(gain)))
            state = self.update(state, State(proposed, log_prob=density), accepted, movers)
        return state, accepted
