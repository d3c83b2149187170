use crate::Table;

impl Table {
    /// What it costs to lose what stands in the map, for people; the error says why it is never lost.
    pub fn loss(self) -> Result<&'static str, &'static str> {
        match self {
            Self::Origins => Ok(
                "no connection ends; to sockets that are connected by then their peer is shown as the endpoint instead of the \
                 service, and connected UDP sockets among them are not destroyed when their endpoint goes, and may miss \
                 answers if they name the service in each datagram, until they connect again",
            ),
            Self::UdpOrigins => Ok(
                "unconnected UDP sockets may be led to another endpoint with their next datagram, and see an answer that is \
                 on its way come from the endpoint instead of the service",
            ),
            Self::Enrolled => {
                Err("nobody would enrol the pods again, and their traffic would not be balanced any more")
            }
            Self::Control => Err(
                "by it writers of all releases know that they have to wait, and programs whether the agent lives",
            ),
            _ => Err("it is made anew from the mesh, and nothing in it is lost"),
        }
    }

    /// The map of that name, if somebody may declare that what stands in it is lost; else why not.
    pub fn to_lose(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|table| table.name() == name);
        let table = found.ok_or("no such map; write origins, udp_origins, or both")?;
        table.loss().map(|_| table).map_err(|why| format!("it is never lost: {why}"))
    }

    /// Their names, as they are written where their loss is declared.
    pub fn names(tables: &[Self]) -> String {
        tables.iter().map(|table| table.name()).collect::<Vec<_>>().join(",")
    }

    /// Which of the maps that programs write are lost if those that are `unknown` cannot be carried over: nothing finds a socket's
    /// pairs without its origin, and a bridge carries all of them or none.
    pub fn lost_with(unknown: &[Self], shares_origins: bool) -> Vec<Self> {
        match unknown {
            [] => Vec::new(),
            [Self::UdpOrigins] if shares_origins => vec![Self::UdpOrigins],
            _ => Self::CARRIED.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_lost_with_origins_and_origins_only_where_they_would_have_to_be_carried_over() {
        use Table::{Origins, UdpOrigins};
        for shares_origins in [true, false] {
            assert_eq!(Table::lost_with(&[], shares_origins), []);
        }
        assert_eq!(Table::lost_with(&[UdpOrigins], true), [UdpOrigins]);
        assert_eq!(Table::lost_with(&[UdpOrigins], false), Table::CARRIED);
        assert_eq!(Table::lost_with(&[Origins], false), Table::CARRIED);
        assert_eq!(Table::lost_with(&Table::CARRIED, false), Table::CARRIED);
    }

    #[test]
    fn only_what_programs_write_may_be_lost() {
        let may_be_lost: Vec<_> = Table::ALL.into_iter().filter(|table| table.loss().is_ok()).collect();
        assert_eq!(may_be_lost, Table::CARRIED);
        assert_eq!(Table::to_lose("udp_origins"), Ok(Table::UdpOrigins));
        assert!(Table::to_lose("control").unwrap_err().starts_with("it is never lost: by it writers"));
        assert!(Table::to_lose("orgins").unwrap_err().starts_with("no such map"));
    }
}
