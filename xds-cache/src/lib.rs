//! Istio's workload API by delta xDS: what a control plane says, as a mesh that outlives it.
