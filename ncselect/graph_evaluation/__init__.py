"""How well stored trainings tell a network's accuracy from its graphs, beside plain signals."""

from ncselect.graph_evaluation.evaluation import Evaluation, Explanation, evaluated
from ncselect.graph_evaluation.predicting import learnt, prediction_rows
from ncselect.graph_evaluation.question import Question

__all__ = ["Evaluation", "Explanation", "Question", "evaluated", "learnt", "prediction_rows"]
