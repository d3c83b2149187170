/// Whole huge pages of x86-64 and of most arm64.
const HUGE: usize = 2 << 20;

/// A vector for so many elements, which come one after the other: touched for the first time by huge pages where the kernel
/// has some, which takes a fraction of the time. What is never touched takes no memory still.
pub fn with_huge_pages<T>(capacity: usize) -> Vec<T> {
    let mut room = Vec::<T>::with_capacity(capacity);
    let spare = room.spare_capacity_mut();
    let begin = (spare.as_mut_ptr() as usize).next_multiple_of(HUGE);
    let end = (spare.as_mut_ptr() as usize + size_of_val(spare)) / HUGE * HUGE;
    if begin < end {
        // A hint: without huge pages all is as it would be without it.
        // SAFETY: whole pages inside of the vector's room; what stands in memory stays as it is.
        let _whether_it_was_taken =
            unsafe { libc::madvise(begin as *mut libc::c_void, end - begin, libc::MADV_HUGEPAGE) };
    }
    room
}
