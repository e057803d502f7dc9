"""What opens a model: one forward pass, in which visits see and change activations."""

from ._backend import (
    AbstractBackend as AbstractBackend,
    Visit as Visit,
    main_tensor as main_tensor,
    one_a_place as one_a_place,
    with_main_tensor as with_main_tensor,
)
from ._choose import backend_for as backend_for
from ._hooks import (
    HookBackend as HookBackend,
    Order as Order,
    attached as attached,
    call as call,
    execution_order as execution_order,
)
from ._naive import ReferenceBackend as ReferenceBackend
from ._softmax import watch_softmax as watch_softmax
from ._trace import NnsightBackend as NnsightBackend
