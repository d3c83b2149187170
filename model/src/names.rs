use std::collections::HashSet;

use smol_str::SmolStr;

/// Names that are in memory once each, however many workloads say them. Short ones are not: they stand where they are said.
#[derive(Clone, Debug, Default)]
pub struct Names(HashSet<SmolStr>);

impl Names {
    /// Lets a name share the memory of the same one that was said first.
    pub fn share(&mut self, name: &mut SmolStr) {
        if !name.is_heap_allocated() {
            return;
        }
        match self.0.get(name) {
            Some(first) => name.clone_from(first),
            None => drop(self.0.insert(name.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn workloads_of_one_service_share_its_long_name() {
        let hostname = format!("{}.svc.cluster.local", "web".repeat(9));
        let mut names = Names::default();
        let [one, other] = ["w1", "w2"].map(|uid| {
            let mut workload = samples::workload(uid, &[&hostname]);
            workload.share_names(&mut names);
            workload
        });
        let name = |workload: &crate::Workload| workload.services.keys().next().unwrap().hostname.as_ptr();
        assert_eq!(name(&one), name(&other));
        assert_eq!(one.services, samples::workload("w1", &[&hostname]).services);
    }
}
